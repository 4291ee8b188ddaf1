//! `run --play`: a run on the terminal as it happened, with the cluster's state above it.
//!
//! The run is played first and then played back from its timeline, so that going back costs nothing
//! and what is seen is what every other output says. Only this file knows the terminal and the clock.

#[cfg(feature = "tui")]
mod draw;
mod state;
mod tables;
#[cfg(test)]
mod tests;

#[cfg(feature = "tui")]
pub use screen::play;

#[cfg(feature = "tui")]
mod screen {
    use super::draw::draw;
    use super::state::{Flow, Key, Playback};
    use crate::timeline::Run;
    use ratatui::DefaultTerminal;
    use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
    use std::io;
    use std::time::Duration;

    /// How long a picture stands at most.
    const FRAME: Duration = Duration::from_millis(50);

    /// Plays a run back until the user has enough; true if that was by Control and C. The terminal is
    /// as before afterwards, after a panic too.
    pub fn play(run: Run, speed: u64) -> io::Result<(Run, bool)> {
        let mut playback = Playback::new(run, speed);
        let mut terminal = ratatui::try_init()?;
        let flow = watch(&mut playback, &mut terminal);
        ratatui::try_restore()?;
        Ok((playback.into_run(), flow? == Flow::Interrupted))
    }

    #[expect(clippy::disallowed_types, reason = "a person watches in real time")]
    fn watch(playback: &mut Playback, terminal: &mut DefaultTerminal) -> io::Result<Flow> {
        let mut before = std::time::Instant::now();
        loop {
            terminal.draw(|frame| draw(playback, frame))?;
            if event::poll(FRAME)?
                && let Event::Key(key) = event::read()?
                && let Some(key) = read(key)
            {
                match playback.press(key) {
                    Flow::Go => {}
                    flow => return Ok(flow),
                }
            }
            let now = std::time::Instant::now();
            playback.pass(now - before);
            before = now;
        }
    }

    /// What a key means; a size that changes is seen when the next picture is drawn.
    fn read(key: KeyEvent) -> Option<Key> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        Some(match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Key::Interrupt,
            KeyCode::Char(letter) => Key::Char(letter),
            KeyCode::Left => Key::Left,
            KeyCode::Right => Key::Right,
            KeyCode::Up => Key::Up,
            KeyCode::Down => Key::Down,
            KeyCode::Home => Key::Home,
            KeyCode::End => Key::End,
            KeyCode::Enter => Key::Enter,
            KeyCode::Esc => Key::Escape,
            KeyCode::Backspace => Key::Backspace,
            _ => return None,
        })
    }
}
