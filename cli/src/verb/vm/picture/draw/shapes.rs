//! Elements of a drawing, with coordinates to a tenth of a pixel and text that XML can carry.

use svg::{
    Node,
    node::{
        self,
        element::{Element, Path, Rectangle, Title},
    },
};

/// Rounded, so that the file does not carry digits that nobody sees.
pub(super) fn px(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

pub(super) fn rectangle(class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) -> Rectangle {
    Rectangle::new()
        .set("class", class)
        .set("x", px(x))
        .set("y", px(y))
        .set("width", px(width.max(0.0)))
        .set("height", px(height.max(0.0)))
}

/// A line of text. The library's own element puts line breaks around what is in it.
pub(super) fn text(class: &str, (x, y): (f64, f64), content: &str) -> Element {
    let mut element = Element::new("text");
    element.assign("class", class);
    element.assign("x", px(x));
    element.assign("y", px(y));
    element.append(node::Text::new(clean(content)));
    element
}

/// What a pointer that rests on an element is told.
pub(super) fn title(content: &str) -> Title {
    Title::new(clean(content))
}

/// A band from one vertical line, between two heights, to another.
pub(super) fn ribbon(
    class: &str,
    (left, right): (f64, f64),
    from: (f64, f64),
    to: (f64, f64),
) -> Path {
    let bend = (left + right) / 2.0;
    let [left, right, bend] = [left, right, bend].map(px);
    let [from_top, from_end] = [from.0, from.1].map(px);
    let [to_top, to_end] = [to.0, to.1].map(px);
    let path = format!(
        "M{left},{from_top}C{bend},{from_top} {bend},{to_top} {right},{to_top}\
         V{to_end}C{bend},{to_end} {bend},{from_end} {left},{from_end}Z"
    );
    Path::new().set("class", class).set("d", path)
}

/// Characters that XML has no place for.
fn clean(text: &str) -> String {
    let replaced = |c: char| {
        if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c }
    };
    text.chars().map(replaced).collect()
}

/// How wide text is, about: fonts differ.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let of = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | '|' | ' ' | '(' | ')' => 0.32,
        'm' | 'w' | 'M' | 'W' => 0.9,
        c if c.is_ascii_uppercase() => 0.68,
        c if c.is_ascii() => 0.56,
        '–' | '·' => 0.5,
        _ => 1.0,
    };
    text.chars().map(of).sum::<f64>() * size
}

/// As much of a text as fits, if it does not.
pub(super) fn fit(content: &str, room: f64, size: f64) -> String {
    if width(content, size) <= room {
        return content.to_owned();
    }
    let mut text = String::new();
    for c in content.chars() {
        text.push(c);
        if width(&text, size) > room - size {
            text.pop();
            break;
        }
    }
    text.push('…');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_xml_cannot_carry_is_replaced() {
        assert_eq!(clean("a\u{1}\u{85}b\u{ffff}"), "a\u{fffd}\u{fffd}b\u{fffd}");
    }

    #[test]
    fn long_text_is_cut_to_its_room() {
        assert_eq!(fit("short", 100.0, 11.0), "short");
        let cut = fit(&"long ".repeat(40), 100.0, 11.0);
        assert!(cut.ends_with('…') && width(&cut, 11.0) <= 100.0, "{cut}");
    }
}
