//! Conditions: the common way in which a status says what is true of an object.

use crate::engine::{SimTime, Text};

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    True,
    False,
    Unknown,
}

/// One condition of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub kind: Text,
    pub status: Status,
    pub reason: Text,
    pub message: Text,
    /// When the status last changed, in whole seconds as Kubernetes writes it.
    pub last_transition: SimTime,
    /// When the kubelet last confirmed it (Nodes only).
    pub last_heartbeat: SimTime,
}

/// An object's conditions, at most one of each type, in the order in which they were first set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions(Vec<Condition>);

impl Status {
    /// As it is written in an object.
    pub const fn name(self) -> &'static str {
        match self {
            Status::True => "True",
            Status::False => "False",
            Status::Unknown => "Unknown",
        }
    }
}

impl Condition {
    /// A condition that turned this way at `now`.
    pub fn new(
        kind: impl Into<Text>,
        status: Status,
        reason: impl Into<Text>,
        message: impl Into<Text>,
        now: SimTime,
    ) -> Condition {
        Condition {
            kind: kind.into(),
            status,
            reason: reason.into(),
            message: message.into(),
            last_transition: now.to_whole_seconds(),
            last_heartbeat: now.to_whole_seconds(),
        }
    }

    /// Equal but for the times.
    pub fn says_the_same_as(&self, other: &Condition) -> bool {
        self.status == other.status && self.reason == other.reason && self.message == other.message
    }
}

impl Conditions {
    /// The condition of this type.
    pub fn get(&self, kind: &str) -> Option<&Condition> {
        self.0.iter().find(|condition| condition.kind == *kind)
    }

    /// The status of the condition of this type.
    pub fn status(&self, kind: &str) -> Option<Status> {
        self.get(kind).map(|condition| condition.status)
    }

    /// True if the condition exists with this status.
    pub fn is(&self, kind: &str, status: Status) -> bool {
        self.status(kind) == Some(status)
    }

    /// True if the condition of this type says what this one does, whenever it came to.
    pub fn says(&self, condition: &Condition) -> bool {
        self.get(&condition.kind).is_some_and(|mine| mine.says_the_same_as(condition))
    }

    /// Puts the condition in the place of an earlier one of its type, as it is.
    pub fn set(&mut self, condition: Condition) {
        match self.0.iter_mut().find(|mine| mine.kind == condition.kind) {
            Some(mine) => *mine = condition,
            None => self.0.push(condition),
        }
    }

    /// Sets what the condition says, if that is news; the transition time moves only if the
    /// status does. True if it was news: a controller that writes what is so already would wake
    /// itself for ever.
    pub fn say(&mut self, mut condition: Condition) -> bool {
        let Some(mine) = self.0.iter_mut().find(|mine| mine.kind == condition.kind) else {
            self.0.push(condition);
            return true;
        };
        if mine.says_the_same_as(&condition) {
            return false;
        }
        if mine.status == condition.status {
            condition.last_transition = mine.last_transition;
        }
        *mine = condition;
        true
    }

    /// As `say`, but whatever is news moves the transition time, words too: so Cluster API has it with
    /// its conditions of v1beta1 (`util/conditions/setter.go`, `hasSameState`).
    pub fn say_anew(&mut self, condition: Condition) -> bool {
        let is_news = !self.says(&condition);
        if is_news {
            self.set(condition);
        }
        is_news
    }

    /// Says it and confirms it at its time, as a kubelet does with each report. True if it was
    /// news in more than that.
    pub fn confirm(&mut self, condition: Condition) -> bool {
        let (kind, heartbeat) = (condition.kind.clone(), condition.last_heartbeat);
        let news = self.say(condition);
        if let Some(mine) = self.0.iter_mut().find(|mine| mine.kind == kind) {
            mine.last_heartbeat = heartbeat;
        }
        news
    }

    /// Removes the condition of this type.
    pub fn remove(&mut self, kind: &str) {
        self.0.retain(|condition| condition.kind != *kind);
    }

    /// All conditions.
    pub fn iter(&self) -> impl Iterator<Item = &Condition> {
        self.0.iter()
    }
}

impl FromIterator<Condition> for Conditions {
    fn from_iter<I: IntoIterator<Item = Condition>>(conditions: I) -> Conditions {
        Conditions(conditions.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, status: Status) -> Condition {
        Condition::new("Ready", status, "Because", "", SimTime::from_micros(seconds * 1_000_000))
    }

    #[test]
    fn what_is_so_already_is_not_written_again() {
        let mut conditions = Conditions::default();
        assert!(conditions.say(at(1, Status::True)));
        let before = conditions.clone();
        assert!(!conditions.say(at(9, Status::True)));
        assert_eq!(conditions, before, "else a controller would wake itself for ever");
    }

    #[test]
    fn of_a_v1beta1_condition_the_transition_moves_with_its_words_too() {
        let mut conditions = Conditions::default();
        assert!(conditions.say_anew(at(1, Status::False)));
        assert!(!conditions.say_anew(at(5, Status::False)));
        assert_eq!(
            conditions.get("Ready").expect("said").last_transition,
            at(1, Status::True).last_transition
        );
        let other = Condition { message: Text::word("other"), ..at(9, Status::False) };
        assert!(conditions.say_anew(other.clone()));
        assert_eq!(conditions.get("Ready"), Some(&other));
    }

    #[test]
    fn the_transition_moves_only_with_the_status() {
        let mut conditions = Conditions::default();
        conditions.say(at(1, Status::True));
        conditions.confirm(at(5, Status::True));
        let ready = conditions.get("Ready").expect("said").clone();
        assert_eq!(ready.last_transition, SimTime::from_micros(1_000_000));
        assert_eq!(ready.last_heartbeat, SimTime::from_micros(5_000_000));
        assert!(conditions.say(at(9, Status::Unknown)));
        let ready = conditions.get("Ready").expect("said");
        assert_eq!(ready.last_transition, SimTime::from_micros(9_000_000));
    }
}
