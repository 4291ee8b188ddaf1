//! Parts of pictures: text, time axes, from numbers to pixels.
//!
//! All coordinates are whole numbers of tenths of a pixel: equal results give equal pictures. It
//! does not know what is drawn.

use super::estimate::axis::{label, ticks, unit};
use crate::engine::Duration;
use std::fmt::Write as _;

/// What all pictures have in common.
pub const STYLE: &str = "text{font-family:'DejaVu Sans',Verdana,sans-serif;font-size:11px;fill:#222}\
.title{font-size:17px;font-weight:bold}.name{font-size:13px;font-weight:bold}.quiet{fill:#555}\
.axis{stroke:#222;stroke-width:1;fill:none}.grid{stroke:#e4e4e4;stroke-width:1}";

/// The area of a picture in which numbers are places, in pixels.
pub struct Plot {
    pub left: u64,
    pub top: u64,
    pub width: u64,
    pub height: u64,
}

/// The numbers at both ends of an axis.
#[derive(Clone, Copy)]
pub struct Scale {
    pub low: u64,
    pub high: u64,
}

impl Scale {
    /// How far a number is from the low end, of so many parts.
    fn part(self, number: u64, parts: u64) -> u64 {
        let width = self.high.saturating_sub(self.low).max(1);
        let from = number.saturating_sub(self.low).min(width);
        (u128::from(from) * u128::from(parts) / u128::from(width)) as u64
    }

    /// The scale between two times.
    pub fn of(low: Duration, high: Duration) -> Scale {
        Scale { low: low.as_micros(), high: high.as_micros() }
    }
}

impl Plot {
    /// The first pixel below it.
    pub const fn bottom(&self) -> u64 {
        self.top + self.height
    }

    /// The first pixel right of it.
    pub const fn right(&self) -> u64 {
        self.left + self.width
    }

    /// In tenths of a pixel, from the left.
    pub fn x(&self, scale: Scale, number: u64) -> u64 {
        10 * self.left + scale.part(number, 10 * self.width)
    }

    /// In tenths of a pixel, from the top.
    pub fn y(&self, scale: Scale, number: u64) -> u64 {
        10 * self.bottom() - scale.part(number, 10 * self.height)
    }
}

/// The beginning of a picture of this size; `more` is style of its own.
pub fn begin((width, height): (u64, u64), title: &str, more: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n\
         <style>{STYLE}{more}</style>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n",
        escaped(title)
    )
}

/// A time axis below a plot, with its name.
pub fn time_axis(svg: &mut String, plot: &Plot, low: Duration, high: Duration, name: &str) {
    let (bottom, scale) = (plot.bottom(), Scale::of(low, high));
    let (step, ticks) = ticks(low, high);
    for tick in ticks {
        let x = tenth(plot.x(scale, tick.as_micros()));
        let _ = writeln!(
            svg,
            "<path class=\"axis\" d=\"M{x} {bottom}v4\"/><text x=\"{x}\" y=\"{}\" \
             text-anchor=\"middle\">{}</text>",
            bottom + 17,
            label(tick, step)
        );
    }
    let middle = (plot.left + plot.width / 2, bottom + 36);
    text(svg, middle, "", "middle", &format!("{name} ({})", unit(high, step)));
}

/// The name of a vertical axis, beside it.
pub fn side_text(svg: &mut String, (x, y): (u64, u64), name: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" transform=\"rotate(-90 {x} {y})\">{}</text>",
        escaped(name)
    );
}

/// What stands at a tick of a vertical axis; `y` is a decimal.
pub fn axis_text(svg: &mut String, x: u64, y: &str, anchor: &str, words: &str) {
    let _ =
        writeln!(svg, "<text x=\"{x}\" y=\"{y}\" dy=\"4\" text-anchor=\"{anchor}\">{words}</text>");
}

/// Words at a place.
pub fn text(svg: &mut String, (x, y): (u64, u64), class: &str, anchor: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

/// Tenths as a decimal.
pub fn tenth(tenths: u64) -> String {
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        rest => format!("{}.{rest}", tenths / 10),
    }
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
