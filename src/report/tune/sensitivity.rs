//! A tornado for a terminal: each setting with a bar to the left for sooner, to the right for later.

use super::{NOTHING, doubt, interval, mood, moved, quantile, reach, short, title};
use crate::analysis::estimate::runs_needed;
use crate::analysis::tune::{Bar, Move, Sensitivity, Side};
use crate::engine::counted;
use crate::report::page::{Line, Mood, Span, Style, hang, say};
use std::io;

/// Columns: where a value's bar begins, how long a half of it is, and where the numbers end.
const VALUE: usize = 17;
const HALF: usize = 14;
const NUMBER: usize = 10;
const BLOCKS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// Writes the table.
pub fn write_sensitivity(
    found: &Sensitivity,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let Sensitivity { played, came, p50, p95, bars, .. } = found;
    title(&format!("what moves {}", played.of), played, style, to)?;
    if played.runs == 0 {
        return say(Mood::Neutral, NOTHING, style, to);
    }
    let mut line = Line::default();
    line.add(Mood::Neutral, format!("as it is: p50 {}", quantile(p50)));
    line.add(Mood::Quiet, format!(" {}", reach(p50)));
    line.add(Mood::Neutral, format!("  p95 {}", quantile(p95)));
    line.add(Mood::Quiet, format!(" {}  in {came} of {}", reach(p95), counted(played.runs, "run")));
    line.write(style, to)?;
    writeln!(to)?;
    if bars.is_empty() {
        say(Mood::Neutral, "No setting moves it for certain.", style, to)?;
    } else {
        let mut line = Line::default();
        line.add(Mood::Heading, "Settings").pad_to(VALUE);
        line.add(Mood::Quiet, format!("{:^1$}", "sooner │ later", 2 * HALF + 1));
        line.add(Mood::Quiet, format!("{:>NUMBER$}  {:<23}{:>8}", "p50", "95 % interval", "p95"));
        line.write(style, to)?;
    }
    let most = bars.iter().flat_map(|bar| &bar.sides).map(length).max().unwrap_or_default();
    bars.iter().try_for_each(|bar| setting(bar, (most, played.runs, *came), style, to))?;
    rest(found, style, to)
}

/// How far p50 moves, for a bar; what comes or fails has a whole one whatever the others are.
fn length(side: &Side) -> u64 {
    match side.p50.by {
        Move::By(micros) => micros.unsigned_abs(),
        Move::Comes | Move::Fails => 0,
    }
}

fn setting(
    Bar { setting, sides }: &Bar,
    (most, runs, came): (u64, u64, u64),
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let mut line = Line::default();
    line.pad_to(2).add(Mood::Neutral, format!("{} = {}", setting.key, short(&setting.value)));
    line.add(Mood::Quiet, format!("   {}", setting.flag));
    line.write(style, to)?;
    for side in sides {
        let mut line = Line::default();
        line.pad_to(4).add(Mood::Neutral, short(&side.value)).pad_to(VALUE);
        line.add(mood(&side.p50), bar(side, most));
        line.add(mood(&side.p50), format!("{:>NUMBER$}", moved(side.p50.by)));
        line.add(Mood::Quiet, format!("{:<2}{:<21}", doubt(&side.p50), interval(&side.p50)));
        line.add(mood(&side.p95), format!("{:>NUMBER$}{}", moved(side.p95.by), doubt(&side.p95)));
        if side.came != came {
            line.add(Mood::Bad, format!("  in {}/{runs}", side.came));
        }
        line.write(style, to)?;
    }
    Ok(())
}

/// A bar on one side of the middle.
fn bar(side: &Side, most: u64) -> String {
    let eighths = |micros: u64| match most {
        0 => 8 * HALF,
        _ => (u128::from(micros) * (8 * HALF) as u128).div_ceil(u128::from(most)) as usize,
    };
    let (is_later, eighths) = match side.p50.by {
        Move::By(micros) => {
            (micros > 0, if micros == 0 { 0 } else { eighths(micros.unsigned_abs()) })
        }
        Move::Comes => (false, 8 * HALF),
        Move::Fails => (true, 8 * HALF),
    };
    match is_later {
        true => {
            let part = BLOCKS.get((eighths % 8).wrapping_sub(1)).map(char::to_string);
            let bar = format!("{}{}", "█".repeat(eighths / 8), part.unwrap_or_default());
            format!("{}│{bar:<HALF$}", " ".repeat(HALF))
        }
        // Blocks are cut on their right side only: to the left whole ones, and a half.
        false => {
            let bar =
                format!("{}{}", if eighths % 8 > 3 { "▐" } else { "" }, "█".repeat(eighths / 8));
            format!("{bar:>HALF$}│{}", " ".repeat(HALF))
        }
    }
}

/// What is not listed, and how to read what is.
fn rest(found: &Sensitivity, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let Sensitivity { played, idle, untried, bars, .. } = found;
    writeln!(to)?;
    let tried = bars.len() + idle.len();
    let mut text = format!(
        "{} of {tried} settings move nothing: neither p50 nor p95 for certain, and by half a percent; \
         -o json names them.",
        idle.len()
    );
    if !untried.is_empty() {
        let keys = untried.iter().map(|it| format!("{} ({})", it.key, it.value));
        let keys = keys.collect::<Vec<_>>().join(", ");
        text.push_str(&format!(" No other value to try: {keys}."));
    }
    hang(Line::default(), 0, &[Span::new(Mood::Quiet, text)], style, to)?;
    let mut text = format!(
        "Each setting alone, at half and at double its value where that is valid. Bars: how far p50 of {} moves; intervals: \
         paired bootstrap, 1000 resamples of the seeds. A run in which it never comes counts as the \
         latest: `fails` where the percentile is lost, `comes` where it is won.",
        played.of
    );
    if found.p95.interval.is_none() {
        let (p50, p95) = (runs_needed(50), runs_needed(95));
        text.push_str(&format!(
            " `?`: too few runs for an interval, so it may be luck; p50 needs {p50} runs, p95 {p95}."
        ));
    }
    hang(Line::default(), 0, &[Span::new(Mood::Quiet, text)], style, to)
}
