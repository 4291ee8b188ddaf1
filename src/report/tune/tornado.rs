//! The tornado as a picture: bars to the left for sooner, to the right for later.
//!
//! The value below the setting's own is a light bar, the one above a dark one, words are light; each
//! is named at its end, so nothing hangs on a color.

use super::{NOTHING, doubt, moved, quantile, short};
use crate::analysis::tune::{Bar, Move, Moved, Sensitivity, Side};
use crate::engine::{Duration, counted};
use crate::report::estimate::axis::{label, ticks, unit};
use crate::report::picture::{Plot, Scale, begin, tenth, text};
use crate::scenario::Form;
use std::fmt::Write as _;

/// More rows than this are for the table.
const MOST: usize = 24;
/// The height of a row with room for two bars, and of each bar.
const ROW: u64 = 42;
const STEP: u64 = BAR + 3;
const TOP: u64 = 76;
const LEFT: u64 = 330;
const WIDTH: u64 = 520;
const BAR: u64 = 13;
/// So many letters of a flag have room.
const FLAG: usize = 48;
/// Between the ends of the longest bars and of the plot, for the names of values, in hundredths.
const ROOM: u64 = 125;

const STYLE: &str = ".low{fill:#d9d9d9;stroke:#555;stroke-width:1}\
.high{fill:#4d4d4d;stroke:#222;stroke-width:1}.middle{stroke:#000;stroke-width:1.6}\
.reach{stroke:#000;stroke-width:1;fill:none}.p95{fill:#fff;stroke:#000;stroke-width:1.3}";

/// The picture.
pub fn sensitivity_svg(found: &Sensitivity) -> String {
    let Sensitivity { played, bars, p50, p95, .. } = found;
    let shown = &bars[..bars.len().min(MOST)];
    let plot = Plot { left: LEFT, top: TOP, width: WIDTH, height: shown.iter().map(height).sum() };
    let partial = if played.is_partial() { ", partial" } else { "" };
    let title = format!("What moves {} of {} on {}", played.of, played.scenario, played.platform);
    let mut svg = begin((plot.right() + 90, plot.bottom() + 92), &title, STYLE);
    text(&mut svg, (16, 28), "title", "start", &title);
    let few = match [p50, p95].map(|quantile| quantile.interval.is_none()) {
        [true, true] => "; ?: too few runs for an interval",
        [false, true] => "; ?: too few runs for an interval of p95",
        _ => "",
    };
    let as_it_is = match played.runs {
        0 => format!("{NOTHING}{partial}"),
        runs => format!(
            "as it is: p50 {}, p95 {}; {} of each value{partial}{few}",
            quantile(p50),
            quantile(p95),
            counted(runs, "run")
        ),
    };
    text(&mut svg, (16, 46), "quiet", "start", &as_it_is);
    let legend = "bar: p50 moves; light: smaller value, a word, or the only other one; dark: larger \
                  value; line: 95 % interval; diamond: p95 moves";
    text(&mut svg, (16, 62), "quiet", "start", legend);
    let axis = Axis::of(shown, &plot);
    axis.draw(&mut svg, &plot);
    let mut top = TOP;
    for bar in shown {
        setting(&mut svg, bar, top, &axis);
        top += height(bar);
    }
    let middle = tenth(axis.x(0));
    let (top, bottom) = (plot.top, plot.bottom());
    let _ = writeln!(svg, "<path class=\"middle\" d=\"M{middle} {top}V{bottom}\"/>");
    let rest = match bars.len() - shown.len() + found.idle.len() {
        0 => String::new(),
        rest => format!("not shown: {rest} settings that move less, or nothing for certain"),
    };
    text(&mut svg, (16, plot.bottom() + 72), "quiet", "start", &rest);
    svg.push_str("</svg>\n");
    svg
}

/// Of words there may be more than two beside the setting's own.
fn height(Bar { sides, .. }: &Bar) -> u64 {
    ROW + STEP * (sides.len() as u64).saturating_sub(2)
}

/// A time axis with a middle: nothing moves there.
struct Axis {
    /// How far it reaches to both sides, in microseconds.
    sooner: u64,
    later: u64,
    scale: Scale,
    plot: (u64, u64),
}

impl Axis {
    fn of(bars: &[Bar], plot: &Plot) -> Axis {
        let ends = |moved: &Moved| {
            let [low, high] = moved.interval.unwrap_or([moved.by; 2]);
            [moved.by, low, high]
        };
        let all = bars.iter().flat_map(|bar| &bar.sides);
        let all = all.flat_map(|side| ends(&side.p50).into_iter().chain([side.p95.by]));
        let (mut sooner, mut later) = (1_000_000, 1_000_000);
        for end in all {
            match end {
                Move::By(micros) if micros < 0 => sooner = sooner.max(micros.unsigned_abs()),
                Move::By(micros) => later = later.max(micros.unsigned_abs()),
                Move::Comes | Move::Fails => {}
            }
        }
        let room = (sooner + later) * (ROOM - 100) / 200;
        let (sooner, later) = (sooner + room, later + room);
        let scale = Scale { low: 0, high: sooner + later };
        Axis { sooner, later, scale, plot: (plot.left, plot.width) }
    }

    /// In tenths of a pixel.
    fn x(&self, micros: i64) -> u64 {
        let (left, width) = self.plot;
        let plot = Plot { left, width, top: 0, height: 0 };
        plot.x(self.scale, self.sooner.saturating_add_signed(micros))
    }

    fn at(&self, by: Move) -> u64 {
        match by {
            Move::Comes => self.x(i64::MIN / 2),
            Move::By(micros) => self.x(micros),
            Move::Fails => self.x(self.later as i64),
        }
    }

    fn draw(&self, svg: &mut String, plot: &Plot) {
        let whole = Duration::from_micros(self.sooner + self.later);
        let (step, _) = ticks(Duration::ZERO, whole);
        let by = step.as_micros().max(1);
        let (first, last) = (-((self.sooner / by) as i64), (self.later / by) as i64);
        for count in first..=last {
            let x = tenth(self.x(count * by as i64));
            let (top, bottom) = (plot.top, plot.bottom());
            let _ = writeln!(svg, "<path class=\"grid\" d=\"M{x} {top}V{bottom}\"/>");
            let _ = writeln!(svg, "<path class=\"axis\" d=\"M{x} {bottom}v4\"/>");
            let sign = ["−", "", "+"][(count.signum() + 1) as usize];
            let words = label(Duration::from_micros(count.unsigned_abs() * by), step);
            let _ = writeln!(
                svg,
                "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{sign}{words}</text>",
                bottom + 17
            );
        }
        let name = format!("sooner (−) or later (+) than as it is ({})", unit(whole, step));
        text(svg, (plot.left + plot.width / 2, plot.bottom() + 38), "", "middle", &name);
    }
}

fn setting(svg: &mut String, Bar { setting, sides }: &Bar, top: u64, axis: &Axis) {
    let own = format!("{} = {}", last_parts(&setting.key), short(&setting.value));
    text(svg, (LEFT - 12, top + 18), "name", "end", &own);
    let flag = setting.flag.split(';').next().unwrap_or_default();
    let flag = match flag.chars().count() > FLAG {
        true => flag.chars().take(FLAG).chain(['…']).collect(),
        false => flag.to_owned(),
    };
    text(svg, (LEFT - 12, top + 33), "quiet", "end", &flag);
    let is_word = matches!(setting.form, Form::Choice(_));
    for (place, side) in (0..).zip(sides) {
        // The second of two numbers is the one above.
        let is_up = place == 1 && !is_word;
        one(svg, side, is_up, top + 6 + place * STEP, axis);
    }
}

/// A key is as long as a person needs to find it.
fn last_parts(key: &str) -> &str {
    key.split_once('.').map_or(key, |(_, rest)| rest)
}

fn one(svg: &mut String, side: &Side, is_up: bool, top: u64, axis: &Axis) {
    let (middle, end) = (axis.x(0), axis.at(side.p50.by));
    let (from, to) = (middle.min(end), middle.max(end));
    let class = if is_up { "high" } else { "low" };
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{BAR}\"/>",
        tenth(from),
        tenth(to - from)
    );
    let y = tenth(10 * top + 10 * BAR / 2);
    let (mut left, mut right) = (from, to);
    if let Some([low, high]) = side.p50.interval {
        let (low, high) = (axis.at(low), axis.at(high));
        (left, right) = (left.min(low), right.max(high));
        let _ = writeln!(
            svg,
            "<path class=\"reach\" d=\"M{low} {y}H{high}M{low} {top}v{BAR}M{high} {top}v{BAR}\"/>",
            low = tenth(low),
            high = tenth(high)
        );
    }
    let at = axis.at(side.p95.by);
    (left, right) = (left.min(at.saturating_sub(50)), right.max(at + 50));
    let _ = writeln!(
        svg,
        "<path class=\"p95\" d=\"M{} {}l5 -5l5 5l-5 5z\"/>",
        tenth(at.saturating_sub(50)),
        y
    );
    let beyond = match side.p50.by {
        Move::By(_) => String::new(),
        by => format!(" {}", moved(by)),
    };
    let doubt = if doubt(&side.p50).is_empty() { doubt(&side.p95) } else { doubt(&side.p50) };
    let words = format!("{}{beyond}{doubt}", short(&side.value));
    let (x, anchor) = if end < middle { (left - 60, "end") } else { (right + 60, "start") };
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{words}</text>",
        tenth(x),
        top + BAR - 2
    );
}
