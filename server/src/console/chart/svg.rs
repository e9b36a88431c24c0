//! Writes SVG elements, escaped, with coordinates of one decimal.
//!
//! Not here: what is drawn. Invariant: classes and shapes come from the program, texts are escaped.

use super::Chart;
use std::fmt::Write as _;

/// A picture that grows.
#[derive(Debug)]
pub(super) struct Svg(String);

/// On which side of its point a text stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    /// To the right of it.
    Start,
    /// Around it.
    Middle,
    /// To the left of it.
    End,
}

impl Svg {
    /// An empty picture; `name` is what it is called for those who do not see it.
    pub(super) fn new(width: u32, height: u32, name: &str) -> Self {
        let name = escape(name);
        let mut text = String::new();
        let _ = write!(
            text,
            "<svg class=\"chart\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{name}\">"
        );
        Self(text)
    }

    /// Two hatchings, under ids that begin with `prefix`.
    pub(super) fn hatchings(&mut self, prefix: &str) {
        let prefix = escape(prefix);
        let _ = write!(
            self.0,
            "<defs><pattern id=\"{prefix}1\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\">\
             <path class=\"hatch\" d=\"M-1 8L8 -1M-1 1L1 -1M6 8L8 6\"/></pattern>\
             <pattern id=\"{prefix}2\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">\
             <circle class=\"dot\" cx=\"3\" cy=\"3\" r=\"1.3\"/></pattern></defs>"
        );
    }

    /// A straight line.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((a, b), (c, d)) = (from, to);
        let _ = write!(
            self.0,
            "<line class=\"{class}\" x1=\"{a:.1}\" y1=\"{b:.1}\" x2=\"{c:.1}\" y2=\"{d:.1}\"/>"
        );
    }

    /// A rectangle; `fill` names a hatching.
    pub(super) fn bar(
        &mut self,
        class: &str,
        at: (f64, f64),
        size: (f64, f64),
        fill: Option<&str>,
    ) {
        let ((x, y), (width, height)) = (at, size);
        let fill = fill.map(|id| format!(" fill=\"url(#{})\"", escape(id))).unwrap_or_default();
        let _ = write!(
            self.0,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\"{fill}/>"
        );
    }

    /// A line through points.
    pub(super) fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut d = String::new();
        for (index, (x, y)) in points.iter().enumerate() {
            let _ = write!(d, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" });
        }
        let _ = write!(self.0, "<path class=\"{class}\" d=\"{d}\"/>");
    }

    /// A square mark around a point.
    pub(super) fn mark(&mut self, class: &str, (x, y): (f64, f64)) {
        self.bar(class, (x - 3.5, y - 3.5), (7.0, 7.0), None);
    }

    /// Words.
    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, words: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let words = escape(words);
        let _ = write!(
            self.0,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
        );
    }

    /// The picture.
    pub(super) fn finish(mut self) -> Chart {
        self.0.push_str("</svg>");
        Chart(self.0)
    }
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_escaped() {
        let mut svg = Svg::new(10, 10, "a\"><script>");
        svg.text("label", (1.0, 2.0), Anchor::Start, "<b>&'\u{7}");
        let text = svg.finish().to_string();
        assert_eq!(
            text,
            "<svg class=\"chart\" viewBox=\"0 0 10 10\" role=\"img\" \
             aria-label=\"a&quot;&gt;&lt;script&gt;\"><text class=\"label\" x=\"1.0\" y=\"2.0\" \
             text-anchor=\"start\">&lt;b&gt;&amp;&#39; </text></svg>"
        );
    }
}
