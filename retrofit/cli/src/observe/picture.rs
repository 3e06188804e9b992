//! A small picture of a call site: at how many of its closes something was left behind.

use super::figures::Figures;
use std::fmt::Write;

const WIDTH: u64 = 90;

struct Bar {
    class: &'static str,
    words: &'static str,
    of: fn(&Figures) -> u64,
}

const BARS: [Bar; 3] = [
    Bar {
        class: "unread",
        words: "unread",
        of: |figures| figures.unread,
    },
    Bar {
        class: "unacked",
        words: "unacked",
        of: |figures| figures.late,
    },
    Bar {
        class: "open",
        words: "no FIN",
        of: |figures| figures.open.saturating_add(figures.untold),
    },
];

pub fn draw(figures: &Figures) -> String {
    let closes = figures.closes;
    let shares = BARS.map(|bar| (bar.of)(figures).min(closes));
    if shares == [0; 3] {
        return "nothing".into();
    }
    let mut out = format!(
        "<svg viewBox=\"0 0 190 54\" width=\"190\" height=\"54\" role=\"img\" aria-label=\"of {closes} closes: \
         unread bytes at {}, bytes not acknowledged at {}, only the peer's FIN missing at {}\">",
        shares[0], shares[1], shares[2]
    );
    for (at, (bar, share)) in BARS.iter().zip(shares).enumerate() {
        let y = at * 18;
        // what there is must be seen, however little of the whole it is
        let filled = match share {
            0 => 0,
            _ => (share * WIDTH / closes.max(1)).max(2),
        };
        let _ = write!(
            out,
            "<text x=\"0\" y=\"{}\">{}</text><rect class=\"whole\" x=\"54\" y=\"{}\" width=\"{WIDTH}\" height=\"10\"/>\
             <rect class=\"{}\" x=\"54\" y=\"{}\" width=\"{filled}\" height=\"10\"/><text x=\"150\" y=\"{}\">{share}</text>",
            y + 12,
            bar.words,
            y + 3,
            bar.class,
            y + 3,
            y + 12,
        );
    }
    out.push_str("</svg>");
    out
}
