//! Text of a plot: how wide it is, cut to a line, and as XML.

use unicode_width::UnicodeWidthStr as _;

/// An estimate of a text's width in pixels; no font is at hand to measure it with.
pub(super) fn text_width(text: &str, size: u32) -> u32 {
    text.width() as u32 * size * 6 / 10
}

/// One line of at most `most` columns, the end cut.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let mut text = plain(text);
    if text.width() <= most {
        return text;
    }
    while text.width() >= most && text.pop().is_some() {}
    text + "…"
}

/// Without the characters that XML cannot hold.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if is_allowed(c) { c } else { ' ' })
        .collect()
}

fn is_allowed(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Text as it may stand in an element or a quoted attribute. Control characters, which XML cannot
/// hold, become spaces.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if is_allowed(c) => out.push(c),
            _ => out.push(' '),
        }
    }
    out
}
