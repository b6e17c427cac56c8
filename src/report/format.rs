//! How numbers, texts and names read, on a terminal and in a report.

use indicatif::HumanCount;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::sae::RECURRING;

/// Longest label of a latent that is shown, in characters.
const LABEL_WIDTH: usize = 48;
/// Heights of a bar of a row of bars.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// `1234567` as `1,234,567`.
pub fn thousands(number: u64) -> String {
    HumanCount(number).to_string()
}

/// A number of things: `1 batch`, `2 batches`, `3 families`.
pub fn counted(number: u64, thing: &str) -> String {
    let number_shown = thousands(number);
    match thing.strip_suffix('y') {
        _ if number == 1 => format!("{number_shown} {thing}"),
        Some(stem) => format!("{number_shown} {stem}ies"),
        None if thing.ends_with("ch") => format!("{number_shown} {thing}es"),
        None => format!("{number_shown} {thing}s"),
    }
}

/// A number by its shortest decimal, by some 7 digits where that is long.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e15).contains(&size) {
        return format!("{value:.4e}");
    }
    let shortest = value.to_string();
    if shortest.len() <= 9 || value.fract() == 0.0 {
        return shortest;
    }
    // Digits before the point, below 16.
    let whole = size.log10().floor().max(-1.0) as i32 + 1;
    let decimals = usize::try_from(7 - whole).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// Things a second, readable from .1 to millions.
pub fn rate(count: u64, seconds: f64) -> String {
    let rate = count as f64 / seconds.max(1e-9);
    if rate < 100.0 {
        format!("{rate:.1}")
    } else {
        // Saturating: a rate is no exact figure.
        thousands(rate.round() as u64)
    }
}

/// Bytes with a unit.
pub fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "kB", "MB"] {
        if value < 1000.0 {
            return if unit == "B" {
                format!("{count} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1} GB")
}

/// Microseconds as milliseconds.
pub fn milliseconds(microseconds: u64) -> String {
    let value = microseconds as f64 / 1000.0;
    if value < 10.0 {
        format!("{value:.2} ms")
    } else {
        format!("{value:.0} ms")
    }
}

/// A share as a percentage.
pub fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// A p-value.
pub fn p_value(p: f64) -> String {
    if p < 1e-300 {
        "<1e-300".to_owned()
    } else if p < 0.001 {
        format!("{p:.0e}")
    } else {
        format!("{p:.3}")
    }
}

/// A label, with a question mark if it is of low confidence; empty if there is none.
pub fn label(label: &str, low_confidence: bool) -> String {
    if low_confidence && !label.is_empty() {
        format!("{}?", cut(label, LABEL_WIDTH - 1))
    } else {
        label.to_owned()
    }
}

/// What follows a latent that comes back in SAEs of other seeds too rarely to be relied on; else nothing.
pub fn recurrence(found: Option<f32>) -> String {
    let rare = found.filter(|found| *found < RECURRING);
    rare.map_or_else(String::new, |found| format!(" (recurs {found:.2})"))
}

/// A latent by number and, if not empty, name.
pub fn latent(latent: u32, name: &str) -> String {
    match name {
        "" => latent.to_string(),
        name => format!("{latent} \"{}\"", cut(name, LABEL_WIDTH)),
    }
}

/// Columns of a terminal that a text takes: two for each wide character, none for marks.
pub fn width(text: &str) -> usize {
    text.width()
}

/// One line of at most `width` columns: white space joined, the end cut. Control characters are
/// dropped, since stored text must not steer the terminal.
pub fn cut(text: &str, width: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() {
            gap = !line.is_empty();
            continue;
        }
        if c.is_control() {
            continue;
        }
        let needed = c.width().unwrap_or(0) + usize::from(gap);
        if length + needed > width {
            // Room for the mark: the last characters go.
            while length + 1 > width
                && let Some(last) = line.pop()
            {
                length -= last.width().unwrap_or(0);
            }
            line.push('…');
            return line;
        }
        if gap {
            line.push(' ');
            gap = false;
        }
        line.push(c);
        length += needed;
    }
    line
}

/// Parts joined by ` · `, broken into lines that are indented like the first.
pub fn wrap(indent: &str, parts: &[String], columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = indent.to_owned();
    let mut empty = true;
    for part in parts {
        let length = width(&line) + width(part) + 3;
        if !empty && length > columns {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent.len())));
            empty = true;
        }
        if !empty {
            line.push_str(" · ");
        }
        line.push_str(part);
        empty = false;
    }
    lines.push(line);
    lines
}

/// Values as a row of at most `width` bars from nothing to the largest, neighbours averaged if they
/// are more; a gap for no value.
pub fn curve(values: &[Option<f64>], width: usize) -> String {
    let chunk = values.len().div_ceil(width).max(1);
    let means: Vec<Option<f64>> = values
        .chunks(chunk)
        .map(|part| {
            let known: Vec<f64> = part.iter().flatten().copied().collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        })
        .collect();
    let largest = means.iter().flatten().copied().fold(0.0, f64::max);
    let bar = |mean: &Option<f64>| match mean {
        None => ' ',
        Some(_) if largest == 0.0 => BARS[0],
        // At most 7, as the mean is at most the largest.
        Some(mean) => BARS[(mean / largest * 7.0).round() as usize],
    };
    means.iter().map(bar).collect()
}

/// Counts as a row of bars; a gap for none, the lowest bar for the least.
pub fn bars(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let bar = |&count: &u64| match count {
        0 => ' ',
        // At most the last bar, since no count is above the largest.
        count => BARS[(count * (BARS.len() as u64 - 1)).div_ceil(most) as usize],
    };
    counts.iter().map(bar).collect()
}

/// A bar of a count, `width` characters for `most`; nothing for none, at least half a character for
/// some.
pub fn bar(count: u64, most: u64, width: usize) -> String {
    if count == 0 {
        return String::new();
    }
    // At most `2 width`, since no count is above the most.
    let halves = (count as f64 / most.max(1) as f64 * (2 * width) as f64).round() as usize;
    let mut bar = "█".repeat(halves / 2);
    if halves % 2 == 1 || halves == 0 {
        bar.push('▌');
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_have_as_many_digits_as_are_read() {
        for (value, shown) in [
            (0.0, "0"),
            (-2.5, "-2.5"),
            (2.0 / 3.0, "0.6666667"),
            (0.1, "0.1"),
            (1_234.567_890_1, "1234.568"),
            (1e9, "1000000000"),
            (1_234_567_890.25, "1234567890"),
            (1.5e-9, "1.5000e-9"),
            (1e300, "1.0000e300"),
        ] {
            assert_eq!(number(value), shown);
        }
        assert_eq!(
            counted(1, "batch") + &counted(0, "batch"),
            "1 batch0 batches"
        );
        assert_eq!(
            counted(2000, "family") + &counted(2, "row"),
            "2,000 families2 rows"
        );
        assert_eq!(bar(4, 4, 3), "███");
        assert_eq!(bar(2, 4, 3), "█▌");
        assert_eq!((bar(1, 1000, 3), bar(0, 4, 3)), ("▌".into(), "".into()));
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(23_400_000), "23.4 MB");
        assert_eq!(rate(60_000, 7.5), "8,000");
        assert_eq!(milliseconds(1_234), "1.23 ms");
    }

    #[test]
    fn texts_are_cut_to_the_width_and_cannot_steer_the_terminal() {
        assert_eq!(cut("  a\n\tb  ", 10), "a b");
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("äöü äöü", 5).chars().count(), 5);
        assert_eq!(cut("北京烤鸭和长城", 6), "北京…");
        assert_eq!(width("e\u{301}北"), 3);
        assert_eq!(cut("a\u{1b}[31mb", 20), "a[31mb");
        assert_eq!(cut("abc", 0), "…");
    }

    #[test]
    fn long_lists_of_latents_are_wrapped() {
        let parts: Vec<String> = (0..6).map(|n| format!("latent {n}")).collect();
        let lines = wrap("  x ", &parts, 30);
        assert_eq!(
            lines,
            [
                "  x latent 0 · latent 1",
                "    latent 2 · latent 3",
                "    latent 4 · latent 5"
            ]
        );
    }

    #[test]
    fn curves_fit_and_show_gaps() {
        let shown = [Some(0.0), None, Some(0.5), Some(1.0)];
        assert_eq!(curve(&shown, 24), "▁ ▅█");
        assert_eq!(curve(&[Some(0.0); 3], 24), "▁▁▁");
        assert!(curve(&[Some(0.1); 1000], 24).chars().count() <= 24);
        assert_eq!(bars(&[8, 0, 1]), "█ ▂");
    }
}
