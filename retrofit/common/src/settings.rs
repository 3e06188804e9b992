//! The settings: their names, what their values look like, and what counts where none is given.

use std::ffi::CStr;
use std::fmt;

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A time; the default in milliseconds.
    Time(u32),
    /// A whole number; the default.
    Number(u32),
    /// One of these words; the first is the default.
    OneOf(&'static [&'static str]),
    /// Anything.
    Text,
    /// On unless it is empty or 0. The option has no value.
    Switch,
}

#[derive(Debug)]
pub struct Setting {
    /// Of the command, without the dashes.
    pub option: &'static str,
    /// In the environment.
    pub variable: &'static CStr,
    /// Another name that is understood: a time's without the unit, which its value may have.
    pub short: Option<&'static CStr>,
    pub value: Value,
}

const fn setting(option: &'static str, variable: &'static CStr, value: Value) -> Setting {
    Setting {
        option,
        variable,
        short: None,
        value,
    }
}

const fn time(
    option: &'static str,
    variable: &'static CStr,
    short: &'static CStr,
    milliseconds: u32,
) -> Setting {
    Setting {
        option,
        variable,
        short: Some(short),
        value: Value::Time(milliseconds),
    }
}

/// For a whole close. A peer that writes on and never reads is told of it within this: Redis's
/// test suite, for one, waits 30 s for that.
pub const TIMEOUT: Setting = time(
    "timeout",
    c"GRACEFUL_CLOSE_TIMEOUT_MS",
    c"GRACEFUL_CLOSE_TIMEOUT",
    10_000,
);
pub const IDLE: Setting = time(
    "idle",
    c"GRACEFUL_CLOSE_IDLE_MS",
    c"GRACEFUL_CLOSE_IDLE",
    5_000,
);
pub const MAX_BYTES: Setting = setting(
    "max-bytes",
    c"GRACEFUL_CLOSE_MAX_BYTES",
    Value::Number(64 << 20),
);
pub const MAX_PARKED: Setting = setting(
    "max-parked",
    c"GRACEFUL_CLOSE_MAX_PARKED",
    Value::Number(256),
);
pub const ROLE: Setting = setting(
    "role",
    c"GRACEFUL_CLOSE_ROLE",
    Value::OneOf(&["server", "any"]),
);
pub const SHUTDOWN_BOTH: Setting = setting(
    "shutdown-both",
    c"GRACEFUL_CLOSE_SHUTDOWN_BOTH",
    Value::OneOf(&["keep", "half"]),
);
pub const EXIT: Setting = setting(
    "exit",
    c"GRACEFUL_CLOSE_EXIT",
    Value::OneOf(&["scan", "wait", "off"]),
);
pub const EXIT_WAIT: Setting = time(
    "exit-wait",
    c"GRACEFUL_CLOSE_EXIT_WAIT_MS",
    c"GRACEFUL_CLOSE_EXIT_WAIT",
    2_000,
);
/// A peer that has sent and acknowledged nothing for so long is not waited for at the end.
pub const EXIT_IDLE: Setting = time(
    "exit-idle",
    c"GRACEFUL_CLOSE_EXIT_IDLE_MS",
    c"GRACEFUL_CLOSE_EXIT_IDLE",
    200,
);
/// So many children of one process wait at their ends for longer than a moment. There may be a
/// limit of connections, which counts the children (tcpserver -c).
pub const EXIT_WAITERS: Setting = setting(
    "exit-waiters",
    c"GRACEFUL_CLOSE_EXIT_WAITERS",
    Value::Number(4),
);
pub const LOG: Setting = setting("log", c"GRACEFUL_CLOSE_LOG", Value::Text);
pub const ONLY: Setting = setting("only", c"GRACEFUL_CLOSE_ONLY", Value::Text);
pub const EXCEPT: Setting = setting("except", c"GRACEFUL_CLOSE_EXCEPT", Value::Text);
pub const OFF: Setting = setting("off", c"GRACEFUL_CLOSE_OFF", Value::Switch);

/// The file of the table ([`observe`](crate::observe)): the closes are looked at, and nothing else
/// is done. Set by the command `observe` alone.
pub const OBSERVE: Setting = setting("observe", c"GRACEFUL_CLOSE_OBSERVE", Value::Text);

/// The closing thread waits. For programs that are linked with us, which have no command.
pub const BLOCKING: Setting = setting("blocking", c"GRACEFUL_CLOSE_BLOCKING", Value::Switch);
/// The default of [`TIMEOUT`] with it: a thread stands still for so long.
pub const BLOCKING_TIMEOUT_MS: u32 = 5_000;

/// Every setting of the command. The help of the command names each (there is a test).
pub static SETTINGS: [&Setting; 14] = [
    &TIMEOUT,
    &IDLE,
    &MAX_BYTES,
    &MAX_PARKED,
    &ROLE,
    &SHUTDOWN_BOTH,
    &EXIT,
    &EXIT_WAIT,
    &EXIT_IDLE,
    &EXIT_WAITERS,
    &LOG,
    &ONLY,
    &EXCEPT,
    &OFF,
];

/// What is wrong with a value, for people.
#[derive(Debug, PartialEq, Eq)]
pub enum Wrong {
    Time,
    TooLong,
    Number,
    Word(&'static [&'static str]),
}

impl fmt::Display for Wrong {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Wrong::Time => to.write_str(
                "not a time; write whole milliseconds, or a number with its unit: 500ms, 10s, 2m",
            ),
            Wrong::TooLong => to.write_str("longer than 4294967295 ms, the longest time there is"),
            Wrong::Number => to.write_str("not a whole number below 4294967296"),
            Wrong::Word(words) => {
                to.write_str("not one of: ")?;
                for (at, word) in words.iter().enumerate() {
                    write!(to, "{}{word}", if at == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
        }
    }
}

impl Setting {
    /// The value of the first of its two names that has one.
    pub fn look<T>(&self, variable: impl Fn(&'static CStr) -> Option<T>) -> Option<T> {
        variable(self.variable).or_else(|| variable(self.short?))
    }

    /// The number that a text stands for: of a time in milliseconds, of a word its place.
    pub fn number(&self, text: &str) -> Result<u32, Wrong> {
        let text = text.trim();
        match self.value {
            Value::Time(_) => milliseconds(text),
            Value::Number(_) => text.parse().map_err(|_| Wrong::Number),
            Value::OneOf(words) => match words.iter().position(|word| *word == text) {
                Some(place) => Ok(place as u32),
                None => Err(Wrong::Word(words)),
            },
            Value::Switch => Ok(u32::from(!matches!(text, "" | "0"))),
            Value::Text => Ok(0),
        }
    }

    /// What counts where nothing is said, or nothing that is understood.
    pub const fn default(&self) -> u32 {
        match self.value {
            Value::Time(number) | Value::Number(number) => number,
            Value::OneOf(_) | Value::Text | Value::Switch => 0,
        }
    }

    /// Of a text that may be missing or empty.
    pub fn number_or_default(&self, text: Option<&str>) -> u32 {
        let given = text.filter(|text| !text.trim().is_empty());
        given
            .and_then(|text| self.number(text).ok())
            .unwrap_or(self.default())
    }
}

/// A whole number of milliseconds, or of what stands behind it.
pub fn milliseconds(text: &str) -> Result<u32, Wrong> {
    let end = text.find(|letter: char| !letter.is_ascii_digit());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let factor = match unit.trim_start() {
        "" | "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err(Wrong::Time),
    };
    if number.is_empty() {
        return Err(Wrong::Time);
    }
    // what consists of figures and is no number is too large for one
    let number: u32 = number.parse().map_err(|_| Wrong::TooLong)?;
    number.checked_mul(factor).ok_or(Wrong::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_and_without_units() {
        assert_eq!(milliseconds("250"), Ok(250));
        assert_eq!(milliseconds("0"), Ok(0));
        assert_eq!(milliseconds("250ms"), Ok(250));
        assert_eq!(milliseconds("10s"), Ok(10_000));
        assert_eq!(milliseconds("10 s"), Ok(10_000));
        assert_eq!(milliseconds("2m"), Ok(120_000));
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "", "soon", "s", "-1", "1.5s", "1h", "10S", "10sec", "1 0", "+5",
        ] {
            assert_eq!(milliseconds(text), Err(Wrong::Time), "{text}");
        }
        assert_eq!(milliseconds("5000000s"), Err(Wrong::TooLong));
        assert_eq!(milliseconds("4294967296"), Err(Wrong::TooLong));
        assert_eq!(milliseconds("99999999999999999999m"), Err(Wrong::TooLong));
    }

    #[test]
    fn words_are_numbered_and_the_first_is_the_default() {
        assert_eq!(EXIT.number("off"), Ok(2));
        assert_eq!(EXIT.number_or_default(Some("never")), 0);
        assert_eq!(
            ROLE.number("client").unwrap_err().to_string(),
            "not one of: server, any"
        );
        assert_eq!(OFF.number_or_default(Some("0")), 0);
        assert_eq!(OFF.number_or_default(Some("yes")), 1);
    }

    #[test]
    fn what_is_not_understood_leaves_the_default() {
        assert_eq!(TIMEOUT.number_or_default(None), 10_000);
        assert_eq!(MAX_BYTES.number_or_default(None), 67_108_864);
        assert_eq!(TIMEOUT.number_or_default(Some("")), 10_000);
        assert_eq!(TIMEOUT.number_or_default(Some("soon")), 10_000);
        assert_eq!(TIMEOUT.number_or_default(Some(" 7s ")), 7_000);
    }

    #[test]
    fn the_exact_name_goes_before_the_short_one() {
        let both = |name: &CStr| Some(name.to_bytes().ends_with(b"_MS"));
        assert_eq!(TIMEOUT.look(both), Some(true));
        let short = |name: &CStr| (name == c"GRACEFUL_CLOSE_TIMEOUT").then_some(3);
        assert_eq!(TIMEOUT.look(short), Some(3));
        assert_eq!(LOG.look(|_| None::<u32>), None);
    }
}
