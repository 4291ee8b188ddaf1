//! Values that a page names by number: each is written once, however often it stands in the data.

use crate::timeline::Value;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// A table of values under construction; number 0 is nothing.
#[derive(Clone, Debug)]
pub struct Texts {
    numbers: BTreeMap<String, usize>,
    /// As JSON, in order of number.
    written: Vec<String>,
}

impl Default for Texts {
    fn default() -> Texts {
        let mut texts = Texts { numbers: BTreeMap::new(), written: Vec::new() };
        texts.number(json!(null));
        texts
    }
}

impl Texts {
    /// The number of a text; 0 for an empty one.
    pub fn text(&mut self, text: &str) -> usize {
        if text.is_empty() { 0 } else { self.number(json!(text)) }
    }

    /// The number of a field's value.
    pub fn value(&mut self, value: &Value) -> usize {
        self.number(match value {
            Value::Null => json!(null),
            Value::Bool(truth) => json!(truth),
            Value::Count(count) => json!(count),
            Value::Text(text) => json!(text.as_str()),
        })
    }

    fn number(&mut self, value: Json) -> usize {
        let text = value.to_string();
        if let Some(number) = self.numbers.get(&text) {
            return *number;
        }
        let number = self.written.len();
        self.numbers.insert(text.clone(), number);
        self.written.push(text);
        number
    }

    /// How many have a number.
    pub fn count(&self) -> usize {
        self.written.len()
    }

    /// All of them from a number on, as a JSON array.
    pub fn to_json(&self, first: usize) -> String {
        format!("[{}]", self.written[first..].join(","))
    }
}

/// Numbers as a JSON array.
pub fn numbers(numbers: impl IntoIterator<Item = i64>) -> String {
    let written: Vec<String> = numbers.into_iter().map(|number| number.to_string()).collect();
    format!("[{}]", written.join(","))
}

/// Numbers of which many are like the one before: how many, and what each of these is.
pub fn runs(numbers_in_order: Vec<i64>) -> String {
    let mut runs: Vec<[i64; 2]> = Vec::new();
    for number in numbers_in_order {
        match runs.last_mut() {
            Some([count, last]) if *last == number => *count += 1,
            _ => runs.push([1, number]),
        }
    }
    numbers(runs.into_iter().flatten())
}
