//! A sweep for a terminal: each point with its times and its price, and the assumptions of the
//! price.

use super::{NOTHING, decimal, millionths, price_interval, quantile, reach, short, title};
use crate::analysis::estimate::runs_needed;
use crate::analysis::tune::{Point, Sweep};
use crate::report::page::{Line, Mood, Span, Style, hang, say};
use std::io;

const NUMBER: usize = 9;

/// Writes the table.
pub fn write_sweep(found: &Sweep, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let Sweep { played, keys, points, .. } = found;
    title(&format!("{} against false alarms", played.of), played, style, to)?;
    say(Mood::Quiet, &format!("varied: {}", keys.join(", ")), style, to)?;
    if played.runs == 0 {
        return say(Mood::Neutral, NOTHING, style, to);
    }
    writeln!(to)?;
    let widths: Vec<usize> = (0..keys.len()).map(|key| width(found, key)).collect();
    heading(found, &widths, style, to)?;
    for point in points {
        row(point, found, &widths, style, to)?;
    }
    writeln!(to)?;
    notes(found, style, to)
}

fn width(found: &Sweep, key: usize) -> usize {
    let values = found.points.iter().map(|point| short(&point.values[key]).chars().count());
    values.max().unwrap_or_default().max(last_part(&found.keys[key]).len()) + 2
}

/// A key without its prefix: the whole one is in the title.
fn last_part(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn heading(
    found: &Sweep,
    widths: &[usize],
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let mut line = Line::default();
    line.pad_to(2);
    for (key, width) in found.keys.iter().zip(widths) {
        line.add(Mood::Heading, format!("{:<width$}", last_part(key)));
    }
    line.add(Mood::Quiet, format!("{:>6}", "runs"));
    line.add(Mood::Quiet, format!("{:>NUMBER$}", "p50"));
    line.add(Mood::Quiet, format!("{:>NUMBER$}{:<10}", "p95", ""));
    line.add(Mood::Quiet, format!("{:>12}  {:<14}", "/ Node-year", "95 % interval"));
    line.add(Mood::Quiet, format!("{:>10}", "/ 1000 out."));
    line.write(style, to)
}

fn row(
    point: &Point,
    found: &Sweep,
    widths: &[usize],
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let mood = if point.is_on_front { Mood::Good } else { Mood::Quiet };
    let mut line = Line::default();
    line.add(mood, if point.is_on_front { "● " } else { "  " });
    for (value, width) in point.values.iter().zip(widths) {
        line.add(mood, format!("{:<width$}", short(value)));
    }
    let came = if point.came < found.played.runs { Mood::Bad } else { Mood::Quiet };
    line.add(came, format!("{:>6}", point.came));
    for percentile in [&point.p50, &point.p95] {
        line.add(mood, format!("{:>NUMBER$}", quantile(percentile)));
    }
    line.add(Mood::Quiet, format!(" {:<9}", reach(&point.p95)));
    let price = point.price;
    line.add(mood, format!("{:>12} ", millionths(price.per_node_year)));
    line.add(Mood::Quiet, format!(" {:<14}", price_interval(price.interval)));
    let thousand = price.per_thousand / 1_000_000;
    line.add(mood, format!("{thousand:>10} "));
    line.add(Mood::Heading, if point.is_own { " as it is" } else { "" });
    line.write(style, to)
}

/// What the marks mean, and what the price rests on.
fn notes(found: &Sweep, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let Sweep { played, outages, nodes, .. } = found;
    let lacks_one = |point: &Point| point.p95.value.is_some() && point.p95.interval.is_none();
    let few = match found.points.iter().any(lacks_one) {
        true => format!(
            ", and with fewer than {} runs p95 has none, so that chance decides",
            runs_needed(95)
        ),
        false => String::new(),
    };
    let never = match found.points.iter().any(|point| point.p95.value.is_none()) {
        true => "; who never heals is not on it",
        false => "",
    };
    let text = format!(
        "●: on the Pareto front, no other point has a p95 and a price that are both as good and one of \
         them better{never}; neighbors whose intervals overlap may change places{few}. runs: in which {} came. \
         Beside p95: how far its 95 % interval reaches. / Node-year, / 1000 out.: Machines replaced \
         needlessly per Node and year, and per 1000 outages.",
        played.of
    );
    hang(Line::default(), 0, &[Span::new(Mood::Quiet, text)], style, to)?;
    writeln!(to)?;
    let mut line = Line::default();
    line.add(Mood::Heading, "Price").add(
        Mood::Quiet,
        format!("  Machines replaced that would have come back, in a cluster of {nodes} Nodes"),
    );
    line.write(style, to)?;
    if outages.is_empty() {
        return say(Mood::Neutral, "    no outages: every price is 0", style, to);
    }
    for rate in outages {
        let per = if rate.kind.is_per_node() { "a Node and year" } else { "a cluster and year" };
        let (low, high) = (rate.length.low, rate.length.high);
        let lasts = format!("{}..{}", short(&low.to_string()), short(&high.to_string()));
        let mut line = Line::default();
        line.pad_to(4).add(Mood::Neutral, rate.kind.name()).pad_to(13);
        let text = format!("{}: {} {per}, {lasts}", rate.kind.words(), decimal(rate.per_year));
        line.add(Mood::Neutral, text);
        line.write(style, to)?;
        let basis = if rate.basis.is_empty() { "--outages" } else { &rate.basis };
        let mut line = Line::default();
        line.pad_to(13);
        hang(line, 13, &[Span::new(Mood::Quiet, basis)], style, to)?;
    }
    let text = format!(
        "Months are not played: of each kind {} runs at each point play one outage each, which ends by \
         itself, in the cluster with nothing else broken; Machines per outage times outages a year. \
         Lengths lie evenly in the logarithm between their ends. The interval is that of the runs, not \
         of the rates: with twice the outages every price is twice as high, and the front the same.",
        played.runs
    );
    hang(Line::default(), 0, &[Span::new(Mood::Quiet, text)], style, to)
}
