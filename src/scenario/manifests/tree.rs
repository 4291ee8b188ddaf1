//! A YAML document as a tree in which every key and value knows its place.
//!
//! Manifests have far more fields than are read here, so they are not deserialized into types: what
//! is not read has to be told apart into what matters and what does not.

use crate::scenario::mistake::Mistake;
use crate::scenario::yaml::{Source, Spanned};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A value at its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Line and column, counted from 1.
    pub place: (usize, usize),
    pub value: Value,
}

/// What stands at a place.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Flag(bool),
    Whole(i64),
    /// A number that is not whole, as its text.
    Broken(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key at its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub name: String,
    pub place: (usize, usize),
}

impl Node {
    /// The one document of a text.
    pub fn read(source: &Source) -> Result<Node, Mistake> {
        source.parse()
    }

    /// True if it says nothing.
    pub fn is_empty(&self) -> bool {
        match &self.value {
            Value::Null => true,
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
            _ => false,
        }
    }

    /// The value as it is shown in a message.
    pub fn shown(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Flag(flag) => format!("`{flag}`"),
            Value::Whole(number) => format!("`{number}`"),
            Value::Text(text) if text.is_empty() => "an empty text".to_owned(),
            Value::Broken(text) | Value::Text(text) => {
                format!("`{}`", crate::scenario::mistake::crop(text))
            }
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }
}

fn place<T>(at: &Spanned<T>) -> (usize, usize) {
    let number = |number: u64| usize::try_from(number).unwrap_or(1).max(1);
    (number(at.referenced.line()), number(at.referenced.column()))
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Node { place: place(&spanned), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(i64::try_from(number).map_or_else(|_| Value::Broken(number.to_string()), Value::Whole))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Broken(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Node>()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<String>, Node>()? {
            map.push((Key { place: place(&key), name: key.value }, value));
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_and_value_knows_its_place() {
        let text = "a: 1\nb:\n  - x: \"1\"\n    y: False\n  - ~\n  - 1.5\nc: { d: 40% }\n";
        let tree = Node::read(&Source::embedded("t.yaml", text)).expect("a tree");
        let Value::Map(map) = &tree.value else { panic!("{tree:?}") };
        let places: Vec<_> =
            map.iter().map(|(key, node)| (key.name.as_str(), key.place, node.place)).collect();
        assert_eq!(places[0], ("a", (1, 1), (1, 4)));
        assert_eq!(places[2].1, (7, 1));
        let Value::List(items) = &map[1].1.value else { panic!("{map:?}") };
        let Value::Map(first) = &items[0].value else { panic!("{items:?}") };
        assert_eq!(first[0].1, Node { place: (3, 8), value: Value::Text("1".to_owned()) });
        assert_eq!(first[1].1, Node { place: (4, 8), value: Value::Flag(false) });
        assert_eq!(items[1].value, Value::Null);
        assert_eq!(items[2].value, Value::Broken("1.5".to_owned()));
        let Value::Map(last) = &map[2].1.value else { panic!("{map:?}") };
        assert_eq!(last[0].1, Node { place: (7, 9), value: Value::Text("40%".to_owned()) });
    }
}
