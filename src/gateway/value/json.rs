//! JSON by serde_json, straight into the tree: strings without escapes are borrowed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use super::{BadBody, Budget, Value, check_keys};

pub(super) fn parse(body: &[u8]) -> Result<Value<'_>, BadBody> {
    let mut reading = Reading { budget: Budget::new(), fault: None };
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = match (Node { reading: &mut reading }).deserialize(&mut json) {
        Ok(value) => value,
        Err(error) => return Err(reading.fault.unwrap_or_else(|| why(&error))),
    };
    json.end().map_err(|_behind| BadBody::Trailing)?;
    Ok(value)
}

fn why(error: &serde_json::Error) -> BadBody {
    match error.classify() {
        Category::Eof => BadBody::Truncated,
        Category::Io | Category::Syntax | Category::Data => BadBody::Malformed,
    }
}

/// State of one body. The fault waits here, because serde's errors are only texts.
struct Reading {
    budget: Budget,
    fault: Option<BadBody>,
}

impl Reading {
    fn check<E: serde::de::Error>(&mut self, result: Result<(), BadBody>) -> Result<(), E> {
        result.map_err(|fault| {
            self.fault = Some(fault);
            E::custom(fault)
        })
    }
}

/// A value that is read next.
struct Node<'r> {
    reading: &'r mut Reading,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value<'de>, D::Error> {
        let counted = self.reading.budget.count();
        self.reading.check(counted)?;
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value<'de>, E> {
        Ok(Value::Int(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Value<'de>, E> {
        Ok(Value::Int(i64::try_from(n).unwrap_or(i64::MAX)))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Value<'de>, E> {
        Ok(Value::Float(n))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<'de>, A::Error> {
        let reading = self.reading;
        let entered = reading.budget.enter();
        reading.check(entered)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Node { reading })? {
            list.push(item);
        }
        reading.budget.leave();
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Value<'de>, A::Error> {
        let reading = self.reading;
        let entered = reading.budget.enter();
        reading.check(entered)?;
        let mut map = Vec::new();
        while let Some(key) = items.next_key_seed(Key)? {
            map.push((key, items.next_value_seed(Node { reading })?));
        }
        reading.budget.leave();
        let keys = check_keys(&map);
        reading.check(keys)?;
        Ok(Value::Map(map))
    }
}

/// A key of a map.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Cow<'de, str>, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
