//! A playback on a screen: title, bar, tables, the latest steps, keys.
//!
//! Draws what `state.rs` says and changes nothing. What does not fit is left out, the tables that
//! are asked for least first.

use super::state::Playback;
use super::tables::{Row, Table, tables};
use crate::engine::SimTime;
use crate::report::{Mood, Told, clock};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};

const KEYS: &str = " space pause  ←→ 10 s  ↑↓ speed  [ ] step  g go to  home end  q quit";

/// Columns that a table needs to be read.
const TABLE_WIDTH: u16 = 40;

/// Draws everything.
pub fn draw(playback: &Playback, frame: &mut Frame) {
    let [title, bar, middle, steps, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(2),
        Constraint::Fill(3),
        Constraint::Fill(2),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(heading(playback)), title);
    frame.render_widget(Paragraph::new(progress(playback, bar.width)), bar);
    draw_tables(&tables(playback.moment(), playback.now()), frame, middle);
    draw_steps(playback, frame, steps);
    let prompt = playback.prompt();
    let style = Style::default().add_modifier(Modifier::DIM);
    let line = prompt.map_or(Line::styled(KEYS, style), |prompt| Line::raw(format!(" {prompt}")));
    frame.render_widget(Paragraph::new(line), keys);
}

fn heading(playback: &Playback) -> Line<'static> {
    let run = playback.run();
    let fault = run.first_fault.unwrap_or(SimTime::ZERO);
    let state = if playback.is_paused() { "paused" } else { "plays" };
    Line::from(vec![
        Span::styled(
            format!(" {} on {}, seed {}  ", run.scenario, run.platform, run.seed),
            Style::default().add_modifier(Modifier::BOLD),
        ),
        Span::raw(clock::since(fault, playback.now())),
        Span::styled(
            format!(" of {}  {}×  {state}", clock::since(fault, run.ended_at), playback.speed()),
            Style::default().add_modifier(Modifier::DIM),
        ),
    ])
}

/// The faults above a line that shows how much of the run is over.
fn progress(playback: &Playback, width: u16) -> Vec<Line<'static>> {
    let run = playback.run();
    let last = u64::from(width.saturating_sub(1));
    let end = run.ended_at.as_micros().max(1);
    let place = |at: SimTime| {
        let column = u128::from(at.as_micros()) * u128::from(last) / u128::from(end);
        usize::try_from(column).unwrap_or(0)
    };
    let mut faults = vec![' '; usize::from(width)];
    for entry in run.timeline.entries().iter().filter(|entry| entry.kind == "Fault") {
        if let Some(mark) = faults.get_mut(place(entry.at)) {
            *mark = '▼';
        }
    }
    let now = place(playback.now());
    let track = |column: usize| match column.cmp(&now) {
        std::cmp::Ordering::Less => '━',
        std::cmp::Ordering::Equal => '●',
        std::cmp::Ordering::Greater => '─',
    };
    let track: String = (0..usize::from(width)).map(track).collect();
    vec![Line::styled(String::from_iter(faults), paint(Mood::Fault)), Line::raw(track)]
}

/// As many tables side by side as can be read, each row of them as high as the others.
fn draw_tables(tables: &[Table], frame: &mut Frame, area: Rect) {
    let beside = usize::from(area.width / TABLE_WIDTH).clamp(1, 3);
    let rows = tables.len().div_ceil(beside);
    // A table needs its frame, its columns and a thing or two.
    let rows = rows.min(usize::from(area.height / 5).max(1));
    let heights = Layout::vertical(vec![Constraint::Fill(1); rows]).split(area);
    for (row, height) in tables.chunks(beside).zip(heights.iter()) {
        let widths = Layout::horizontal(vec![Constraint::Fill(1); row.len()]).split(*height);
        for (table, place) in row.iter().zip(widths.iter()) {
            draw_table(table, frame, *place);
        }
    }
}

fn draw_table(table: &Table, frame: &mut Frame, area: Rect) {
    let block = Block::default().borders(Borders::TOP).title(format!(" {} ", table.title));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let widths = column_widths(table, usize::from(inside.width));
    let cells = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| {
            let cell = shortened(cell, *width);
            format!("{cell:<width$}")
        });
        format!(" {}", padded.collect::<Vec<_>>().join("  "))
    };
    let columns: Vec<String> = table.columns.iter().map(|column| (*column).to_owned()).collect();
    let dim = Style::default().add_modifier(Modifier::DIM);
    let mut lines = vec![Line::styled(cells(&columns), dim)];
    let room = usize::from(inside.height).saturating_sub(1);
    let shown = if table.rows.len() > room { room.saturating_sub(1) } else { room };
    let shown = shown.min(table.rows.len());
    lines.extend(told_first(&table.rows, shown).map(|row| line(row, cells(&row.cells))));
    if shown < table.rows.len() {
        lines.push(Line::styled(format!(" and {} more", table.rows.len() - shown), dim));
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

fn line(row: &Row, text: String) -> Line<'static> {
    let style = paint(row.mood);
    let style = if row.is_new { style.add_modifier(Modifier::REVERSED) } else { style };
    Line::styled(text, style)
}

/// So many of the rows, in their order: those that are ill or new, then the others.
fn told_first(rows: &[Row], count: usize) -> impl Iterator<Item = &Row> {
    let mut places: Vec<usize> = (0..rows.len()).collect();
    places.sort_by_key(|place| rows[*place].mood != Mood::Bad && !rows[*place].is_new);
    places.truncate(count);
    places.sort_unstable();
    places.into_iter().map(|place| &rows[place])
}

/// A cell that has room: of a name both ends are kept, of a list the beginning.
fn shortened(cell: &str, width: usize) -> String {
    let letters: Vec<char> = cell.chars().collect();
    if letters.len() <= width {
        return cell.to_owned();
    }
    let room = width.saturating_sub(1);
    let tail = if letters.contains(&',') { 0 } else { room / 3 };
    let (head, tail) = (&letters[..room - tail], &letters[letters.len() - tail..]);
    head.iter().chain(&['…']).chain(tail).take(width).collect()
}

/// Columns that give way are no narrower than this.
const NARROWEST: usize = 8;

/// Each column as wide as its widest cell. Where they have no room the last gives way, then the name;
/// never the state.
fn column_widths(table: &Table, room: usize) -> Vec<usize> {
    let mut widths = widest_cells(table);
    let gaps = 2 * widths.len().saturating_sub(1) + 1;
    let mut too_wide = (widths.iter().sum::<usize>() + gaps).saturating_sub(room);
    for place in (0..widths.len()).rev().filter(|place| *place != 1) {
        let less = too_wide.min(widths[place].saturating_sub(NARROWEST));
        widths[place] -= less;
        too_wide -= less;
    }
    widths
}

fn widest_cells(table: &Table) -> Vec<usize> {
    let width = |place: usize, column: &str| {
        let cells = table.rows.iter().filter_map(|row| row.cells.get(place));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(column.chars().count())
    };
    table.columns.iter().enumerate().map(|(place, column)| width(place, column)).collect()
}

fn draw_steps(playback: &Playback, frame: &mut Frame, area: Rect) {
    let block = Block::default().borders(Borders::TOP).title(" What happened ");
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let fault = playback.run().first_fault.unwrap_or(SimTime::ZERO);
    let told = playback.told();
    let first = told.len().saturating_sub(usize::from(inside.height));
    let lines: Vec<Line> = told[first..].iter().map(|step| step_line(step, fault)).collect();
    frame.render_widget(Paragraph::new(lines), inside);
}

/// `  47  +00:41.2  Node/worker-0  Ready True → Unknown  ←46`
fn step_line(step: &Told, fault: SimTime) -> Line<'static> {
    let dim = Style::default().add_modifier(Modifier::DIM);
    let cause = step.cause.map(|cause| format!("  ←{}", cause.0)).unwrap_or_default();
    let words: Vec<&str> = step.words.split_whitespace().collect();
    Line::from(vec![
        Span::styled(format!("{:>5}", step.id.0), dim),
        Span::raw(format!("{:>10}  {}  ", clock::since(fault, step.at), step.object)),
        Span::styled(words.join(" "), paint(step.mood)),
        Span::styled(cause, dim),
    ])
}

fn paint(mood: Mood) -> Style {
    let style = Style::default();
    match mood {
        Mood::Neutral => style,
        Mood::Fault => style.fg(Color::Red).add_modifier(Modifier::BOLD),
        Mood::Bad => style.fg(Color::Yellow),
        Mood::Good => style.fg(Color::Green),
        Mood::Quiet => style.add_modifier(Modifier::DIM),
        Mood::Heading => style.add_modifier(Modifier::BOLD),
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::Key;
    use super::super::tests::run;
    use super::*;
    use crate::timeline::Run;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn screen(playback: &Playback, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("memory");
        terminal.draw(|frame| draw(playback, frame)).expect("memory");
        let buffer = terminal.backend().buffer().clone();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..height).map(line).collect()
    }

    #[test]
    fn everything_is_on_the_screen() {
        let mut playback = Playback::new(run(), 60);
        playback.press(Key::Char(']'));
        playback.press(Key::Char(']'));
        let screen = screen(&playback, 120, 30);
        let has = |words: &str| screen.iter().any(|line| line.contains(words));
        assert!(screen[0].contains("lost on here, seed 0  +00:30.0 of +00:40.0  60×  paused"));
        assert_eq!(screen[1].chars().position(|mark| mark == '▼'), Some(39));
        assert_eq!(screen[2].chars().position(|mark| mark == '●'), Some(99));
        for table in [" Nodes ", " Machines ", " Pods ", " etcd ", " VMs ", " Users "] {
            assert!(has(table), "{table}: {screen:#?}");
        }
        assert!(has("worker-0  Unknown"), "{screen:#?}");
        assert!(has("+00:30.0  Node/worker-0  Ready: Unknown  ←9"), "{screen:#?}");
        assert!(screen[29].contains("q quit"));
    }

    #[test]
    fn every_size_can_be_drawn() {
        for run in [run(), Run::default()] {
            let mut playback = Playback::new(run, 60);
            playback.press(Key::End);
            for width in [1, 7, 39, 40, 79, 80, 121, 300] {
                for height in [1, 2, 5, 9, 24, 100] {
                    screen(&playback, width, height);
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let row = |number: usize| Row {
            cells: vec![format!("pod-{number}"), "Running".to_owned()],
            mood: Mood::Good,
            is_new: false,
        };
        let table =
            Table { title: "Pods", columns: &["NAME", "STATUS"], rows: (0..9).map(row).collect() };
        let mut terminal = Terminal::new(TestBackend::new(30, 6)).expect("memory");
        terminal.draw(|frame| draw_table(&table, frame, frame.area())).expect("memory");
        let text = terminal.backend().to_string();
        assert!(text.contains("pod-2") && text.contains("and 6 more"), "{text}");
    }

    #[test]
    fn a_long_name_leaves_room_for_the_state_and_who_is_ill_is_shown_first() {
        let row = |number: usize| Row {
            cells: ["-control-plane-on-the-left", "", ""]
                .map(|end| format!("p{number}{end}"))
                .into(),
            mood: if number == 7 { Mood::Bad } else { Mood::Good },
            is_new: number == 5,
        };
        let mut rows: Vec<Row> = (0..9).map(row).collect();
        for row in &mut rows {
            row.cells[1] = format!("{:?}, and how", row.mood);
            row.cells[2] = "node-a,node-b,node-c".to_owned();
        }
        let table = Table { title: "Pods", columns: &["NAME", "STATUS", "NODE"], rows };
        let mut terminal = Terminal::new(TestBackend::new(40, 6)).expect("memory");
        terminal.draw(|frame| draw_table(&table, frame, frame.area())).expect("memory");
        let text = terminal.backend().to_string();
        for line in
            ["p0-contro…left  Good, and how", "p5-", "p7-contro…left  Bad, and how   node-a,…"]
        {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(text.contains("and 6 more") && !text.contains("p8"), "{text}");
    }

    #[test]
    fn what_is_typed_stands_in_the_last_line() {
        let mut playback = Playback::new(run(), 60);
        playback.press(Key::Char('g'));
        playback.press(Key::Char('5'));
        assert!(screen(&playback, 80, 20)[19].starts_with(" go to: 5"));
    }
}
