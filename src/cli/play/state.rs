//! Where a playback stands, and what a key does to it.
//!
//! Knows no terminal and no clock: time passes when its owner says so, and what is seen is drawn
//! elsewhere (`draw.rs`).

use crate::analysis::moment::Moment;
use crate::engine::{Duration, SimTime};
use crate::report::{Told, told};
use crate::timeline::Run;

/// A run that is played back.
pub struct Playback {
    run: Run,
    told: Vec<Told>,
    moment: Moment,
    now: SimTime,
    /// Simulated seconds in a second.
    speed: u64,
    is_paused: bool,
    /// What has been typed of an instant to jump to.
    typed: Option<String>,
    /// What was wrong with the last key.
    note: Option<String>,
}

/// A key, as far as it means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Char(char),
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    Enter,
    Escape,
    Backspace,
    /// Control and C.
    Interrupt,
}

/// Whether the playback goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Go,
    Quit,
    /// The user has had enough of the whole program.
    Interrupted,
}

/// How far the arrows go.
pub const STEP: Duration = Duration::from_secs(10);
/// The speeds between which `up` and `down` double and halve.
pub const SPEEDS: (u64, u64) = (1, 3_600);

impl Playback {
    /// A run at its beginning, at so many simulated seconds in a second.
    pub fn new(run: Run, speed: u64) -> Playback {
        let mut playback = Playback {
            told: told(&run),
            run,
            moment: Moment::default(),
            now: SimTime::ZERO,
            speed: speed.clamp(SPEEDS.0, SPEEDS.1),
            is_paused: false,
            typed: None,
            note: None,
        };
        playback.seek(SimTime::ZERO);
        playback
    }

    /// The run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The run, when the playback is over.
    pub fn into_run(self) -> Run {
        self.run
    }

    /// What there is now.
    pub fn moment(&self) -> &Moment {
        &self.moment
    }

    /// The instant that is shown.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// Simulated seconds in a second.
    pub fn speed(&self) -> u64 {
        self.speed
    }

    /// True if time stands still.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// What is being typed, or what was wrong.
    pub fn prompt(&self) -> Option<String> {
        let typed = self.typed.as_ref().map(|typed| format!("go to: {typed}"));
        typed.or_else(|| self.note.clone())
    }

    /// The steps up to now, the latest last.
    pub fn told(&self) -> &[Told] {
        &self.told[..self.told.partition_point(|step| step.at <= self.now)]
    }

    /// So much time of the user's has passed; at the end the playback stops.
    pub fn pass(&mut self, time: std::time::Duration) {
        if self.is_paused {
            return;
        }
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.forward(self.now, Duration::from_micros(micros.saturating_mul(self.speed)));
        self.is_paused = self.now == self.run.ended_at;
    }

    /// Reacts to a key.
    pub fn press(&mut self, key: Key) -> Flow {
        self.note = None;
        if key == Key::Interrupt {
            return Flow::Interrupted;
        }
        if let Some(typed) = self.typed.take() {
            self.type_on(typed, key);
            return Flow::Go;
        }
        match key {
            Key::Char('q') | Key::Escape => return Flow::Quit,
            Key::Char(' ') if self.now == self.run.ended_at => self.again(),
            Key::Char(' ') => self.is_paused = !self.is_paused,
            Key::Left => self.back(STEP),
            Key::Right => self.forward(self.now, STEP),
            Key::Up => self.speed = (self.speed * 2).min(SPEEDS.1),
            Key::Down => self.speed = (self.speed / 2).max(SPEEDS.0),
            Key::Char('[') => self.previous(),
            Key::Char(']') => self.next(),
            Key::Char('g') => self.typed = Some(String::new()),
            Key::Home => self.seek(SimTime::ZERO),
            Key::End => self.seek(self.run.ended_at),
            _ => {}
        }
        Flow::Go
    }

    /// From the end a space begins anew.
    fn again(&mut self) {
        self.seek(SimTime::ZERO);
        self.is_paused = false;
    }

    fn type_on(&mut self, mut typed: String, key: Key) {
        match key {
            Key::Escape => return,
            Key::Enter => return self.jump(&typed),
            Key::Backspace => drop(typed.pop()),
            Key::Char(letter) if typed.len() < 20 => typed.push(letter),
            _ => {}
        }
        self.typed = Some(typed);
    }

    /// To `5m30s` of the run, or to `+5m30s` after the first fault.
    fn jump(&mut self, typed: &str) {
        let typed = typed.trim();
        let (from, length) = match typed.strip_prefix('+') {
            Some(length) => (self.run.first_fault.unwrap_or_default(), length),
            None => (SimTime::ZERO, typed),
        };
        match length.parse::<Duration>() {
            Ok(length) => self.forward(from, length),
            Err(_) => {
                let words = "write 5m30s, or +5m30s after the first fault";
                self.note = Some(format!("`{typed}` is no instant: {words}"));
            }
        }
    }

    /// To the step before, and a stop there: who steps looks.
    fn previous(&mut self) {
        let before = self.told.iter().rev().find(|step| step.at < self.now);
        let at = before.map_or(SimTime::ZERO, |step| step.at);
        self.is_paused = true;
        self.seek(at);
    }

    fn next(&mut self) {
        let next = self.told.iter().find(|step| step.at > self.now);
        let at = next.map_or(self.run.ended_at, |step| step.at);
        self.is_paused = true;
        self.seek(at);
    }

    fn back(&mut self, length: Duration) {
        let since = self.now.since(SimTime::ZERO).saturating_sub(length);
        self.seek(SimTime::ZERO + since);
    }

    /// So far from an instant, or to the end: a length may be longer than any run.
    fn forward(&mut self, from: SimTime, length: Duration) {
        let rest = self.run.ended_at.since(from);
        self.seek(from + length.min(rest));
    }

    fn seek(&mut self, to: SimTime) {
        let to = to.min(self.run.ended_at);
        if to < self.now {
            self.moment = Moment::default();
        }
        self.moment.advance(&self.run.timeline, to);
        self.now = to;
    }
}
