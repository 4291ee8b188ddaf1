//! The estimate as a picture: for each figure a histogram and the cumulative curve over it.
//!
//! Told apart by shape and brightness, not by color, so it reads in grey and for the color-blind.
//! All coordinates are whole numbers, so equal estimates give equal pictures.

use super::axis::ceiling;
use super::numbers::{still, time};
use crate::analysis::Estimate;
use crate::analysis::estimate::{Figure, Kind, Name};
use crate::engine::counted;
use crate::report::picture::{Plot, Scale, axis_text, begin, side_text, tenth, text, time_axis};
use std::fmt::Write as _;
use std::io;

/// Panels beside one another, and their size in pixels.
const COLUMNS: u64 = 2;
const PANEL: (u64, u64) = (480, 290);
/// The plot within a panel: left, top, width, height.
const PLOT: Plot = Plot { left: 62, top: 54, width: 356, height: 170 };
const HEADING: u64 = 56;
/// The height of a line of text below the panels.
const LINE: u64 = 16;
const BINS: u64 = 40;
/// Points of the curve.
const POINTS: u64 = 178;

const STYLE: &str = ".bar{fill:#c4c4c4;stroke:#8c8c8c;stroke-width:.5}\
.curve{fill:none;stroke:#0b3a66;stroke-width:2}.mark{stroke:#000;stroke-width:1.2}";

/// Writes the picture.
pub fn write(estimate: &Estimate, to: &mut impl io::Write) -> io::Result<()> {
    let of_note = estimate.figures.iter().filter(|it| it.is_of_note());
    let (constant, figures): (Vec<&Figure>, Vec<&Figure>) =
        of_note.partition(|it| it.spread.min() == it.spread.max());
    let rows = (figures.len() as u64).div_ceil(COLUMNS);
    let below = HEADING + rows * PANEL.1;
    let size = (COLUMNS * PANEL.0, below + LINE * constant.len() as u64 + 10);
    let mut svg = begin(size, &heading(estimate), STYLE);
    text(&mut svg, (16, 28), "title", "start", &heading(estimate));
    let legend = "grey bars: share of runs in each bin (left axis) · dark line: share of runs until \
                  then (right axis) · dashed: p50 · dotted: p95";
    text(&mut svg, (16, 46), "quiet", "start", legend);
    for (place, figure) in (0..).zip(&figures) {
        let (x, y) = (place % COLUMNS * PANEL.0, HEADING + place / COLUMNS * PANEL.1);
        let _ = writeln!(svg, "<g transform=\"translate({x},{y})\">");
        panel(&mut svg, estimate, figure);
        svg.push_str("</g>\n");
    }
    for (place, figure) in (1..).zip(constant) {
        let Figure { name, happened, spread, .. } = figure;
        let always = format!("always {} in {}", time(spread.min()), counted(*happened, "run"));
        let always = (*happened > 0).then_some(always);
        let words: Vec<String> = always.into_iter().chain(still(figure)).collect();
        let words = format!("{} {}: {}", name.figure, name.object, words.join(", "));
        text(&mut svg, (16, below + LINE * place), "quiet", "start", &words);
    }
    svg.push_str("</svg>\n");
    to.write_all(svg.as_bytes())
}

fn heading(estimate: &Estimate) -> String {
    let Estimate { asked, runs, cut, .. } = estimate;
    let partial = if cut.is_some() { ", partial" } else { "" };
    format!("{} on {}, {}{partial}", asked.scenario, asked.platform, counted(*runs, "run"))
}

fn panel(svg: &mut String, estimate: &Estimate, figure: &Figure) {
    let Figure { name: Name { kind, figure: what, object }, happened, spread, .. } = figure;
    let (name, axis) = match kind {
        Kind::Milestone => (what.to_string(), "time after the first fault"),
        Kind::Availability => (format!("{object} {what}"), "time, of all runs"),
    };
    let object = if *kind == Kind::Milestone { object.as_str() } else { "" };
    text(svg, (PLOT.left, 22), "name", "start", &name);
    let still = still(figure).map_or_else(String::new, |words| format!(", {words}"));
    let note = format!("{object} in {happened} of {}{still}", counted(estimate.runs, "run"));
    text(svg, (PLOT.left, 38), "quiet", "start", note.trim());
    let (low, high) = (spread.min(), spread.max());
    time_axis(svg, &PLOT, low, high, axis);
    let counts = spread.bins(low, high, BINS);
    bars(svg, &counts, spread.runs());
    curve(svg, &spread.bins(low, high, POINTS), spread.runs());
    for (percent, dash, row) in [(50, "6 3", 0), (95, "1.5 2.5", 1)] {
        let x = PLOT.x(Scale::of(low, high), spread.percentile(percent).as_micros());
        mark(svg, x, dash, &format!("p{percent}"), row);
    }
}

/// The bars with their axis on the left.
fn bars(svg: &mut String, counts: &[u64], all: u64) {
    let per_mille = |count: u64| (1000 * count).div_ceil(all.max(1));
    let most = ceiling(per_mille(counts.iter().copied().max().unwrap_or_default()));
    for quarter in 0..=4 {
        let y = 10 * (PLOT.top + PLOT.height) - 10 * PLOT.height * quarter / 4;
        let (y, left, right) = (tenth(y), PLOT.left, PLOT.left + PLOT.width);
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{left} {y}H{right}\"/>");
        let share = most * quarter / 4;
        axis_text(svg, left - 6, &y, "end", &percent(share));
        axis_text(svg, right + 6, &y, "start", &format!("{} %", 25 * quarter));
    }
    let width = 10 * PLOT.width / counts.len() as u64;
    for (place, count) in (0..).zip(counts).filter(|(_, count)| **count > 0) {
        let height = (u128::from(*count) * u128::from(10_000 * PLOT.height)
            / u128::from(most.max(1) * all.max(1))) as u64;
        let height = height.max(5);
        let (x, y) = (10 * PLOT.left + place * width, 10 * (PLOT.top + PLOT.height) - height);
        let _ = writeln!(
            svg,
            "<rect class=\"bar\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            tenth(x),
            tenth(y),
            tenth(width),
            tenth(height)
        );
    }
    let (left, bottom, right) = (PLOT.left, PLOT.top + PLOT.height, PLOT.left + PLOT.width);
    let top = PLOT.top;
    let _ = writeln!(svg, "<path class=\"axis\" d=\"M{left} {top}V{bottom}H{right}V{top}\"/>");
    for (x, name) in [(left - 46, "runs per bin"), (right + 50, "runs until then")] {
        side_text(svg, (x, PLOT.top + PLOT.height / 2), name);
    }
}

/// How many runs until then, from 0 to 100 %.
fn curve(svg: &mut String, counts: &[u64], all: u64) {
    let mut seen = 0;
    let mut path = format!("M{} {}", PLOT.left, PLOT.top + PLOT.height);
    let points = counts.len() as u64;
    for (place, count) in (1..).zip(counts) {
        seen += count;
        let x = 10 * PLOT.left + 10 * PLOT.width * place / points;
        let height =
            (u128::from(seen) * u128::from(10 * PLOT.height) / u128::from(all.max(1))) as u64;
        let y = 10 * (PLOT.top + PLOT.height) - height;
        let _ = write!(path, "L{} {}", tenth(x), tenth(y));
    }
    let _ = writeln!(svg, "<path class=\"curve\" d=\"{path}\"/>");
}

/// A line across the plot with its name above it.
fn mark(svg: &mut String, x: u64, dash: &str, name: &str, row: u64) {
    let (x, bottom) = (tenth(x), PLOT.top + PLOT.height);
    let top = PLOT.top - 4;
    let _ = writeln!(
        svg,
        "<path class=\"mark\" stroke-dasharray=\"{dash}\" d=\"M{x} {top}V{bottom}\"/>"
    );
    let (anchor, shift) = if row == 0 { ("end", "-2") } else { ("start", "2") };
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{}\" dx=\"{shift}\" text-anchor=\"{anchor}\">{name}</text>",
        PLOT.top - 4
    );
}

/// Thousandths in percent.
fn percent(thousandths: u64) -> String {
    format!("{} %", tenth(thousandths))
}
