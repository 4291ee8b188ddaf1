//! The picture that is taken to a meeting: how fast each point heals against what it costs.
//!
//! Points on the front are filled circles on a line, the others hollow squares, where things are now
//! has a ring around it: shapes, not colors.

use super::{decimal, millionths, short};
use crate::analysis::tune::{Point, Sweep};
use crate::engine::{Duration, counted};
use crate::report::picture::{Plot, Scale, axis_text, begin, side_text, tenth, text, time_axis};
use std::fmt::Write as _;

const PLOT: Plot = Plot { left: 96, top: 92, width: 700, height: 400 };
/// The size of a letter's box, for finding room for the names of points, in pixels.
const LETTER: (u64, u64) = (7, 12);
/// Steps of the price's axis, in millionths.
const STEPS: [u64; 3] = [1, 2, 5];

const STYLE: &str = ".front{fill:none;stroke:#222;stroke-width:1.4;stroke-dasharray:5 3}\
.on{fill:#111;stroke:#111}.off{fill:#fff;stroke:#777;stroke-width:1.4}\
.own{fill:none;stroke:#000;stroke-width:1.8}.reach{stroke:#999;stroke-width:1;fill:none}\
.tag{paint-order:stroke;stroke:#fff;stroke-width:3px}";

/// A point where it is drawn, in tenths of a pixel.
struct Drawn<'a> {
    point: &'a Point,
    p95: Duration,
    x: u64,
    y: u64,
}

/// The picture.
pub fn sweep_svg(found: &Sweep) -> String {
    let Sweep { played, points, outages, nodes, .. } = found;
    let title = format!("{} of {} against false alarms", played.of, played.scenario);
    let kinds = outages.iter().map(|rate| {
        let per = if rate.kind.is_per_node() { "Node" } else { "cluster" };
        format!("{} {} a {per} and year", rate.kind.name(), decimal(rate.per_year))
    });
    let kinds = format!("Outages: {}.", kinds.collect::<Vec<_>>().join(", "));
    let never: Vec<String> = points.iter().filter(|it| it.p95.value.is_none()).map(name).collect();
    let mut svg = begin((PLOT.right() + 44, PLOT.bottom() + 118), &title, STYLE);
    text(&mut svg, (16, 28), "title", "start", &title);
    let partial = if played.is_partial() { ", partial" } else { "" };
    let of = format!(
        "{} on {}: {}; {} of each{partial}, {nodes} Nodes",
        found.keys.join(" / "),
        played.platform,
        "each point is named by its value",
        counted(played.runs, "run")
    );
    text(&mut svg, (16, 46), "quiet", "start", &of);
    let legend = "filled circle on the line: Pareto front · hollow square: another point is better · \
                  ring: as it is · grey cross: 95 % intervals";
    text(&mut svg, (16, 62), "quiet", "start", legend);
    let drawn = axes(&mut svg, found);
    front_line(&mut svg, &drawn);
    drawn.iter().for_each(|it| symbol(&mut svg, it));
    names(&mut svg, &drawn);
    let below = PLOT.bottom() + 62;
    text(&mut svg, (16, below), "quiet", "start", &kinds);
    let lengths = "Each price is from one outage a run, in the cluster with nothing else broken, times \
                   outages a year; rates are assumptions (see the table).";
    text(&mut svg, (16, below + 16), "quiet", "start", lengths);
    if !never.is_empty() {
        let words = format!("not drawn, p95 never comes: {}", never.join(", "));
        text(&mut svg, (16, below + 32), "quiet", "start", &words);
    }
    svg.push_str("</svg>\n");
    svg
}

fn name(point: &Point) -> String {
    point.values.iter().map(|value| short(value)).collect::<Vec<_>>().join(" / ")
}

/// Draws both axes, and finds the places of all points with a p95.
fn axes<'a>(svg: &mut String, found: &'a Sweep) -> Vec<Drawn<'a>> {
    let with = || found.points.iter().filter_map(|it| Some((it, it.p95.value?)));
    let low = with().map(|(_, p95)| p95).min().unwrap_or_default();
    let high = with().map(|(_, p95)| p95).max().unwrap_or_default();
    // Points do not lie on the frame.
    let room = Duration::from_micros((high.saturating_sub(low).as_micros() / 12).max(2_000_000));
    let (low, high) = (low.saturating_sub(room), high + room);
    let dearest = with().map(|(it, _)| it.price.interval[1].min(2 * it.price.per_node_year + 1));
    let dearest = dearest.chain(with().map(|(it, _)| it.price.per_node_year)).max();
    let most = dearest.unwrap_or_default().max(1000);
    let step = step(most);
    let scale = Scale { low: 0, high: (most / step + 1) * step };
    for count in 0..=scale.high / step {
        let y = tenth(PLOT.y(scale, count * step));
        let (left, right) = (PLOT.left, PLOT.right());
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{left} {y}H{right}\"/>");
        axis_text(svg, left - 8, &y, "end", &millionths(count * step));
    }
    let (left, top, bottom, right) = (PLOT.left, PLOT.top, PLOT.bottom(), PLOT.right());
    let _ = writeln!(svg, "<path class=\"axis\" d=\"M{left} {top}V{bottom}H{right}\"/>");
    let price = "Machines replaced needlessly per Node and year";
    side_text(svg, (24, PLOT.top + PLOT.height / 2), price);
    let of = format!("p95 of {} after the first fault", found.played.of);
    time_axis(svg, &PLOT, low, high, &of);
    let times = Scale::of(low, high);
    let drawn = with().map(|(point, p95)| Drawn {
        point,
        p95,
        x: PLOT.x(times, p95.as_micros()),
        y: PLOT.y(scale, point.price.per_node_year),
    });
    let drawn: Vec<Drawn> = drawn.collect();
    whiskers(svg, &drawn, times, scale);
    drawn
}

/// A round step of which at most ten reach so far.
fn step(most: u64) -> u64 {
    let tens = std::iter::successors(Some(1u64), |ten| ten.checked_mul(10));
    let steps = tens.flat_map(|ten| STEPS.map(|step| ten.saturating_mul(step)));
    steps.into_iter().find(|step| most / step < 10).unwrap_or(u64::MAX)
}

/// The intervals of both numbers.
fn whiskers(svg: &mut String, drawn: &[Drawn], times: Scale, prices: Scale) {
    for Drawn { point, x, y, .. } in drawn {
        let [low, high] = point.price.interval.map(|end| tenth(PLOT.y(prices, end)));
        let x_here = tenth(*x);
        let _ = write!(svg, "<path class=\"reach\" d=\"M{x_here} {low}V{high}");
        if let Some([Some(low), high]) = point.p95.interval {
            let high = high.map_or(10 * PLOT.right(), |it| PLOT.x(times, it.as_micros()));
            let low = PLOT.x(times, low.as_micros());
            let _ = write!(svg, "M{} {y}H{}", tenth(low), tenth(high), y = tenth(*y));
        }
        svg.push_str("\"/>\n");
    }
}

/// A stair from point to point: between two of them nothing better has been tried.
fn front_line(svg: &mut String, drawn: &[Drawn]) {
    let mut on: Vec<&Drawn> = drawn.iter().filter(|it| it.point.is_on_front).collect();
    on.sort_by_key(|it| (it.p95, it.point.price.per_node_year));
    let mut path = String::new();
    for it in on {
        let (x, y) = (tenth(it.x), tenth(it.y));
        let _ = match path.is_empty() {
            true => write!(path, "M{x} {y}"),
            false => write!(path, "H{x}V{y}"),
        };
    }
    if !path.is_empty() {
        let _ = writeln!(svg, "<path class=\"front\" d=\"{path}\"/>");
    }
}

fn symbol(svg: &mut String, Drawn { point, x, y, .. }: &Drawn) {
    let (cx, cy) = (tenth(*x), tenth(*y));
    let _ = match point.is_on_front {
        true => writeln!(svg, "<circle class=\"on\" cx=\"{cx}\" cy=\"{cy}\" r=\"4.5\"/>"),
        false => writeln!(
            svg,
            "<rect class=\"off\" x=\"{}\" y=\"{}\" width=\"8\" height=\"8\"/>",
            tenth(x - 40),
            tenth(y - 40)
        ),
    };
    if point.is_own {
        let _ = writeln!(svg, "<circle class=\"own\" cx=\"{cx}\" cy=\"{cy}\" r=\"10\"/>");
    }
}

/// A rectangle in pixels: left, top, right, bottom.
type Box4 = [u64; 4];

/// Names beside their points, where there is room: first those that matter most.
fn names(svg: &mut String, drawn: &[Drawn]) {
    let mut taken: Vec<Box4> = drawn
        .iter()
        .map(|it| [it.x / 10 - 6, it.y / 10 - 6, it.x / 10 + 6, it.y / 10 + 6])
        .collect();
    let mut order: Vec<&Drawn> = drawn.iter().collect();
    order.sort_by_key(|it| (!it.point.is_own, !it.point.is_on_front));
    for it in order {
        let own = if it.point.is_own { " (as it is)" } else { "" };
        let words = format!("{}{own}", name(it.point));
        let (wide, high) = (LETTER.0 * words.chars().count() as u64, LETTER.1);
        let (x, y) = (it.x / 10, it.y / 10);
        // Right above, right below, left above, left below.
        let places = [
            [x + 8, y.saturating_sub(8 + high)],
            [x + 8, y + 8],
            [x.saturating_sub(8 + wide), y.saturating_sub(8 + high)],
            [x.saturating_sub(8 + wide), y + 8],
        ];
        let fits = |[left, top]: &&[u64; 2]| {
            let area = [*left, *top, left + wide, top + high];
            let within =
                *left > PLOT.left && area[2] < PLOT.right() + 40 && area[3] < PLOT.bottom();
            within && taken.iter().all(|other| !overlap(area, *other))
        };
        let Some([left, top]) = places.iter().find(fits).copied() else { continue };
        taken.push([left, top, left + wide, top + high]);
        text(svg, (left, top + high - 2), "tag", "start", &words);
    }
}

fn overlap(a: Box4, b: Box4) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}
