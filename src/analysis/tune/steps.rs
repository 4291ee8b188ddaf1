//! Which values of a setting are tried: one down and one up for a sensitivity, a range for a sweep.
//!
//! It knows how numbers are written, not what they mean; whether a value is valid is for the
//! scenario to say, which refuses what cannot be.

use crate::engine::Duration;
use crate::scenario::Form;
use std::fmt;
use std::str::FromStr;

/// More values of one setting, and more points of a sweep, nobody reads.
const MOST_VALUES: u64 = 200;

const EXAMPLE: &str = "machineHealthCheck.unknownTimeout=1m..10m/30s";
/// What other commands vary.
const MACHINES: [&str; 4] = ["controlPlane", "workers", "hosts", "zones"];

/// `--vary KEY=LOW..HIGH/STEP`: the values from the first to the last, both included if a step
/// falls on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vary {
    pub key: String,
    low: Value,
    high: Value,
    step: Value,
}

/// Words that are no such range, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotARange(String);

/// A number with the way it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Length(Duration),
    Percent(u64),
    Count(u64),
}

/// The values beside a setting's own that are tried. Of each the preferred is first: those that
/// cannot be are refused by the scenario.
pub fn sides(value: &str, form: &Form) -> Vec<Vec<String>> {
    if let Form::Choice(words) = form {
        let others = words.iter().filter(|word| *word != value);
        return others.map(|word| vec![word.clone()]).collect();
    }
    if value == "none" {
        // Without a limit: the smallest there can be.
        return vec![vec!["1".to_owned()]];
    }
    if let Some((low, high)) = value.split_once("..") {
        let both = |part: &dyn Fn(Value) -> Value| {
            let (low, high) = (read(low)?, read(high)?);
            Some(vec![format!("{}..{}", part(low), part(high))])
        };
        return [both(&Value::half), both(&Value::double)].into_iter().flatten().collect();
    }
    let Some(own) = read(value) else { return Vec::new() };
    let most = match (own, form) {
        (_, Form::Count { most, .. }) => Some(own.with(*most)),
        _ => None,
    };
    // Mostly nothing means without limit.
    let least = if let Value::Length(_) = own { own.with(60_000_000) } else { own.with(1) };
    let (down, up) = match own.number() {
        0 => (None, least),
        _ if matches!(own, Value::Percent(_)) => {
            (Some(own.half()), own.with((2 * own.number()).min(100)))
        }
        _ => (Some(own.half()), own.double()),
    };
    let others = |side: Vec<Value>| -> Vec<String> {
        let others = side.into_iter().filter(|other| *other != own);
        others.map(|other| other.to_string()).collect()
    };
    let sides = [down.into_iter().collect(), [up].into_iter().chain(most).collect()];
    sides.into_iter().map(others).filter(|side| !side.is_empty()).collect()
}

impl Vary {
    /// All values, the smallest first.
    pub fn values(&self) -> Vec<String> {
        let (low, high, step) = (self.low.number(), self.high.number(), self.step.number());
        let count = (high - low) / step;
        (0..=count).map(|place| self.low.with(low + place * step).to_string()).collect()
    }

    /// A point is set up by its settings, but they were written as ranges: the mistakes that it has, as those of
    /// the ranges. One value stands for each range.
    pub fn blame(wrong: Vec<String>, ranges: &[Vary], values: &[String]) -> Vec<String> {
        let in_range = |text: String| {
            let found = ranges.iter().zip(values).find_map(|(range, value)| {
                let rest = text.strip_prefix(&format!("--set {}={value}", range.key))?;
                Some(format!("--vary {range}{rest}"))
            });
            found.unwrap_or(text)
        };
        wrong.into_iter().map(in_range).collect()
    }

    /// Whether these ranges give no more points than anybody reads.
    ///
    /// # Errors
    /// They give more, or vary one setting twice; the words say what would be right.
    pub fn fit(all: &[Vary]) -> Result<(), String> {
        if all.len() > 2 {
            return Err("vary one or two settings; a picture has two sides".to_owned());
        }
        if let [a, b] = all
            && a.key == b.key
        {
            return Err(format!("{} is varied twice; write one range of it", a.key));
        }
        let points: u64 = all.iter().map(|vary| vary.values().len() as u64).product();
        match points > MOST_VALUES {
            true => Err(format!("these are {points} points; take larger steps, for {MOST_VALUES}")),
            false => Ok(()),
        }
    }
}

impl fmt::Display for Vary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Vary { key, low, high, step } = self;
        write!(f, "{key}={low}..{high}/{step}")
    }
}

impl FromStr for Vary {
    type Err = NotARange;
    fn from_str(text: &str) -> Result<Vary, NotARange> {
        let shape = || NotARange(format!("`{text}` is not KEY=LOW..HIGH/STEP, as {EXAMPLE}"));
        let (key, range) = text.split_once('=').ok_or_else(shape)?;
        if MACHINES.contains(&key) {
            let words = format!(
                "`{key}` is no setting but how many machines there are, which `healsim availability` \
                 varies, as --vary controlPlane=1,3,5; here write {EXAMPLE}"
            );
            return Err(NotARange(words));
        }
        match (key, range) {
            ("", _) => return Err(shape()),
            (_, "") => {
                let words =
                    format!("nothing comes after `{key}=`; write LOW..HIGH/STEP, as {EXAMPLE}");
                return Err(NotARange(words));
            }
            _ => {}
        }
        let (ends, step) = range.split_once('/').ok_or_else(shape)?;
        let (low, high) = ends.split_once("..").ok_or_else(shape)?;
        let number = |word: &str| {
            let wrong = format!("`{word}` is neither a duration, a percentage nor a count");
            read(word).ok_or(NotARange(wrong))
        };
        let (low, high, step) = (number(low)?, number(high)?, number(step)?);
        if !low.is_like(high) || !low.is_like(step) {
            let words = format!("`{range}` mixes durations, percentages and counts");
            return Err(NotARange(words));
        }
        let (from, to, by) = (low.number(), high.number(), step.number());
        if by == 0 {
            return Err(NotARange(format!("a step of {step} leads nowhere; write a larger one")));
        }
        if from > to {
            let words = format!("`{low}..{high}` is reversed; write the smaller first");
            return Err(NotARange(words));
        }
        if (to - from) / by >= MOST_VALUES {
            let words = format!("more than {MOST_VALUES} values; write a larger step than {step}");
            return Err(NotARange(words));
        }
        Ok(Vary { key: key.to_owned(), low, high, step })
    }
}

impl fmt::Display for NotARange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotARange {}

impl Value {
    fn number(self) -> u64 {
        match self {
            Value::Length(length) => length.as_micros(),
            Value::Percent(of) | Value::Count(of) => of,
        }
    }

    /// Another number, written in the same way.
    fn with(self, number: u64) -> Value {
        match self {
            Value::Length(_) => Value::Length(Duration::from_micros(number)),
            Value::Percent(_) => Value::Percent(number),
            Value::Count(_) => Value::Count(number),
        }
    }

    fn half(self) -> Value {
        self.with(self.number() / 2)
    }

    fn double(self) -> Value {
        self.with(self.number().saturating_mul(2))
    }

    fn is_like(self, other: Value) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Length(length) => length.fmt(f),
            Value::Percent(of) => write!(f, "{of}%"),
            Value::Count(of) => of.fmt(f),
        }
    }
}

fn read(word: &str) -> Option<Value> {
    let count = || word.parse().ok().map(Value::Count);
    let percent = || word.strip_suffix('%')?.parse().ok().map(Value::Percent);
    let length = || word.parse().ok().map(Value::Length);
    // A bare 0 is a duration too, and a count first.
    count().or_else(percent).or_else(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_value_has_its_sides() {
        let words =
            |words: &[&str]| Form::Choice(words.iter().map(|it| (*it).to_owned()).collect());
        let percent = Form::Count { least: 0, most: 100 };
        let other = Form::Other("a count or a percentage".to_owned());
        for (value, form, expected) in [
            ("5m", Form::Duration, "2m30s; 10m0s"),
            ("0s", Form::Duration, "1m0s"),
            ("100ms..1s", Form::Delay, "50ms..500ms; 200ms..2s"),
            ("100%", other.clone(), "50%"),
            ("60%", other.clone(), "30%; 100%"),
            ("none", other.clone(), "1"),
            ("55", percent.clone(), "27; 110 or 100"),
            ("100", percent, "50; 200"),
            ("1", Form::Count { least: 0, most: 1 }, "0; 2"),
            ("0", Form::Count { least: 0, most: 1 }, "1 or 1"),
            ("true", words(&["true", "false"]), "false"),
            ("Random", words(&["Random", "Oldest", "Newest"]), "Oldest; Newest"),
            ("Random", Form::Word, ""),
            ("", other, ""),
        ] {
            let found =
                sides(value, &form).iter().map(|side| side.join(" or ")).collect::<Vec<_>>();
            assert_eq!(found.join("; "), expected, "{value}");
        }
    }

    #[test]
    fn a_range_ends_at_the_last_step_that_fits() {
        let values = |text: &str| text.parse::<Vary>().expect(text).values().join(" ");
        assert_eq!(values("a.b=1m..2m/30s"), "1m0s 1m30s 2m0s");
        assert_eq!(values("a.b=1..6/2"), "1 3 5");
        assert_eq!(values("a.b=20%..100%/40%"), "20% 60% 100%");
        assert_eq!(values("a.b=5s..5s/1s"), "5s");
    }

    #[test]
    fn what_is_no_range_is_refused_with_what_would_be_right() {
        for (text, words) in [
            ("a.b", "KEY=LOW..HIGH/STEP"),
            ("a.b=1m..2m", "KEY=LOW..HIGH/STEP"),
            ("=1m..2m/30s", "KEY=LOW..HIGH/STEP"),
            ("a.b=1m..soon/30s", "`soon` is neither"),
            ("a.b=1m..2m/5", "mixes"),
            ("a.b=2m..1m/30s", "reversed"),
            ("a.b=1m..2m/0s", "leads nowhere"),
            ("a.b=1ms..1h/1ms", "more than 200 values"),
        ] {
            let wrong = text.parse::<Vary>().expect_err(text).to_string();
            assert!(wrong.contains(words), "{text}: {wrong}");
        }
        let vary = |text: &str| text.parse::<Vary>().expect(text);
        let [a, b, c] = ["a=1..20/1", "b=1..20/1", "c=1..2/1"].map(vary);
        assert!(Vary::fit(&[a.clone(), c.clone()]).is_ok() && Vary::fit(&[]).is_ok());
        let refused = |all: &[Vary]| Vary::fit(all).expect_err("refused");
        assert!(refused(&[a.clone(), b.clone()]).contains("400 points"));
        assert!(refused(&[a.clone(), a.clone()]).contains("varied twice"));
        assert!(refused(&[a, b, c]).contains("one or two"));
    }
}
