//! Which socket is finished gracefully when the program closes it: one rule for all routes, and
//! what each of them makes of it.

/// How the closes of a program are caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `LD_PRELOAD`.
    Preload,
    /// `-Wl,--wrap`.
    Link,
    /// The imports of a Windows program.
    Hook,
    /// mingw's linker, closesocket() alone.
    Archive,
}

/// The columns of [`RULE`], in their order.
pub const ROUTES: [Route; 4] = [Route::Preload, Route::Link, Route::Hook, Route::Archive];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
    /// The system cannot tell.
    Unknown,
}

impl From<bool> for Answer {
    fn from(is: bool) -> Answer {
        match is {
            true => Answer::Yes,
            false => Answer::No,
        }
    }
}

impl From<Option<bool>> for Answer {
    fn from(is: Option<bool>) -> Answer {
        is.map_or(Answer::Unknown, Answer::from)
    }
}

/// What is asked of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// A TCP connection that stands, or that either side has shut.
    IsConnection,
    /// The process has connected it, and only what it has accepted is wanted.
    IsClient,
    /// Nobody has seen how it came, and only what the process has accepted is wanted.
    IsForeign,
    /// Something was sent on it. Where nothing was, a reset tells the peer that nobody reads.
    HasSent,
    /// SO_LINGER {1, 0}: the program wants the reset.
    WantsReset,
    /// TCP_REPAIR: who saves connections to restore them elsewhere wants nothing to be sent.
    IsInRepair,
    /// Multipath TCP: what is asked of the socket tells of its first subflow alone.
    IsMultipath,
    /// The program has shut it for reading: the peer's FIN could not be told from that.
    IsShutForReading,
    /// Another thread is sending on it.
    IsBeingSent,
    /// Somebody else holds it, here or in another process.
    IsShared,
}

/// What a route does with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Asked. Where it cannot be told the socket is left to the system's close.
    LeaveUnknown,
    /// Asked. Where it cannot be told the socket is finished.
    FinishUnknown,
    /// Not asked here, for this reason.
    NotAsked(&'static str),
}

use Column::{FinishUnknown, LeaveUnknown, NotAsked};

pub struct Row {
    pub question: Question,
    /// The answer with which it is left to the system's close.
    pub leaves: Answer,
    /// For the log; empty where every program has many of these.
    pub words: &'static str,
    /// As [`ROUTES`].
    pub columns: [Column; 4],
}

const COUNTED: Column = NotAsked("its holders are counted, and given up, when all else is settled");
const NO_MULTIPATH: Column = NotAsked("Windows has no multipath TCP");

const NO_REPAIR: Column = NotAsked("Windows has no mode of repair");

const NOT_FOREIGN: Column = NotAsked(
    "whoever gives a program a handle gives it a duplicate, which is left alone while both are open",
);
const NOT_SHUT: Column =
    NotAsked("Winsock tells it only by a receive; the library finds it out and ends at once");

// Documentation of closesocket(), section Remarks.
const NOT_SENT_ON: Column = NotAsked(
    "closesocket() ends the calls of other threads, too: there is nothing that could go on",
);

/// In this order: most descriptors are no connection.
pub const RULE: [Row; 10] = [
    Row {
        question: Question::IsConnection,
        leaves: Answer::No,
        words: "",
        columns: [LeaveUnknown; 4],
    },
    Row {
        question: Question::IsClient,
        leaves: Answer::Yes,
        words: "a client's",
        columns: [
            FinishUnknown,
            FinishUnknown,
            FinishUnknown,
            NotAsked("only closesocket() is replaced: who has connected a socket is not seen"),
        ],
    },
    Row {
        question: Question::IsForeign,
        leaves: Answer::Yes,
        words: "it is not known how it came",
        columns: [
            NotAsked(
                "the starter's, as inetd gives it: whether it is a client's is told by its ports",
            ),
            LeaveUnknown,
            NOT_FOREIGN,
            NOT_FOREIGN,
        ],
    },
    Row {
        question: Question::HasSent,
        leaves: Answer::No,
        words: "nothing sent",
        // Windows before 10 1703 does not tell, and nobody would be reached there
        columns: [LeaveUnknown, LeaveUnknown, FinishUnknown, FinishUnknown],
    },
    Row {
        question: Question::WantsReset,
        leaves: Answer::Yes,
        words: "SO_LINGER asks for a reset",
        columns: [LeaveUnknown; 4],
    },
    Row {
        question: Question::IsInRepair,
        leaves: Answer::Yes,
        words: "in the mode of repair",
        // a system that cannot tell has no such mode
        columns: [FinishUnknown, FinishUnknown, NO_REPAIR, NO_REPAIR],
    },
    Row {
        question: Question::IsMultipath,
        leaves: Answer::Yes,
        words: "multipath TCP",
        columns: [LeaveUnknown, LeaveUnknown, NO_MULTIPATH, NO_MULTIPATH],
    },
    Row {
        question: Question::IsShutForReading,
        leaves: Answer::Yes,
        words: "shut for reading",
        columns: [LeaveUnknown, LeaveUnknown, NOT_SHUT, NOT_SHUT],
    },
    Row {
        question: Question::IsBeingSent,
        leaves: Answer::Yes,
        words: "another thread is sending on it",
        columns: [LeaveUnknown, LeaveUnknown, NOT_SENT_ON, NOT_SENT_ON],
    },
    Row {
        question: Question::IsShared,
        leaves: Answer::Yes,
        words: "shared with another handle",
        columns: [COUNTED, COUNTED, LeaveUnknown, LeaveUnknown],
    },
];

/// A question as a route asks it. Without words, which would take room in a library that says none.
#[derive(Clone, Copy)]
pub struct Asked {
    question: Question,
    leaves: Answer,
    leaves_unknown: bool,
}

/// In the order of [`RULE`]; `None`: not asked.
pub type Questions = [Option<Asked>; RULE.len()];

pub const fn questions(route: Route) -> Questions {
    let mut questions = [None; RULE.len()];
    let mut at = 0;
    while at < RULE.len() {
        let row = &RULE[at];
        let column = row.columns[route as usize];
        if !matches!(column, NotAsked(_)) {
            questions[at] = Some(Asked {
                question: row.question,
                leaves: row.leaves,
                leaves_unknown: matches!(column, LeaveUnknown),
            });
        }
        at += 1;
    }
    questions
}

/// `None`: it is finished. Otherwise the row of [`RULE`] for which it is left to the system's close.
/// Asks no more than it takes to know.
#[inline]
pub fn left_by(questions: &Questions, mut ask: impl FnMut(Question) -> Answer) -> Option<usize> {
    questions.iter().position(|asked| {
        asked.is_some_and(|asked| match ask(asked.question) {
            Answer::Unknown => asked.leaves_unknown,
            answer => answer == asked.leaves,
        })
    })
}

/// The same, with its words.
#[inline]
pub fn left_for(route: Route, ask: impl FnMut(Question) -> Answer) -> Option<&'static Row> {
    left_by(&questions(route), ask).map(|at| &RULE[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWERS: [Answer; 3] = [Answer::Yes, Answer::No, Answer::Unknown];

    fn ordinary(question: Question) -> Answer {
        let is = matches!(question, Question::IsConnection | Question::HasSent);
        Answer::from(is)
    }

    #[test]
    fn columns_stand_in_the_order_of_the_routes() {
        for (at, route) in ROUTES.into_iter().enumerate() {
            assert_eq!(route as usize, at);
        }
    }

    /// Every answer to every question on every route: what asks leaves what it shall leave, what
    /// does not ask has a reason.
    #[test]
    fn each_answer_on_each_route() {
        for (at, route) in ROUTES.into_iter().enumerate() {
            assert!(left_for(route, ordinary).is_none(), "{route:?}");
            for row in &RULE {
                for answer in ANSWERS {
                    let ask = |question| match question == row.question {
                        true => answer,
                        false => ordinary(question),
                    };
                    let is_left = left_for(route, ask).map(|row| row.question);
                    let shall_be = match row.columns[at] {
                        Column::NotAsked(why) => {
                            assert!(!why.is_empty());
                            false
                        }
                        Column::LeaveUnknown => answer == row.leaves || answer == Answer::Unknown,
                        Column::FinishUnknown => answer == row.leaves,
                    };
                    let shall_be = shall_be.then_some(row.question);
                    assert_eq!(is_left, shall_be, "{route:?} {:?} {answer:?}", row.question);
                }
            }
        }
    }

    /// Of tests/retrofit/matrix.txt; whether it is as Wine has it.
    const COLUMNS: [(Route, bool); 5] = [
        (Route::Preload, false),
        (Route::Link, false),
        (Route::Hook, false),
        (Route::Hook, true),
        (Route::Archive, true),
    ];

    /// What tests/retrofit/matrix tries with real sockets is this rule.
    #[test]
    fn the_matrix_is_the_rule() {
        let text = include_str!("../../../tests/retrofit/matrix.txt");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let mut seen = 0;
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, question, becomes @ ..] = words.as_slice() else {
                panic!("{line}");
            };
            let row = RULE
                .iter()
                .find(|row| format!("{:?}", row.question) == *question);
            assert_eq!(row.is_none(), *question == "-", "{line}");
            seen += usize::from(row.is_some());
            for (at, wanted) in becomes.iter().enumerate().filter(|(_, word)| **word != "-") {
                let (route, is_wine) = COLUMNS[at];
                let is_left = left_for(route, |asked| match row {
                    Some(_) if is_wine && asked == Question::HasSent => Answer::Unknown,
                    Some(row) if row.question == asked => row.leaves,
                    _ => ordinary(asked),
                });
                let becomes = match row.map(|row| row.question) {
                    // by the rule, or by what counts the holders
                    Some(Question::IsShared | Question::IsBeingSent) => "kept",
                    _ if is_left.is_some() => "left",
                    _ => "finished",
                };
                assert_eq!(becomes, *wanted, "{line}: {at}");
            }
        }
        // all but the first, of which a bare close shows nothing
        assert_eq!(seen, RULE.len() - 1);
    }

    #[test]
    fn no_question_is_asked_behind_the_one_that_decides() {
        let mut asked = 0;
        left_for(Route::Preload, |_| {
            asked += 1;
            Answer::No
        });
        assert_eq!(asked, 1);
    }
}
