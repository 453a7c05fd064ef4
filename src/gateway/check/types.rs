//! The first step: every value has the type that the model says, or becomes it.
//!
//! The texts are AWS's own, Java's class names included.

use std::borrow::Cow;

use super::blob_text::decode;
use super::input::{Input, Item};
use super::shown;
use crate::base::ids::Millis;
use crate::gateway::error::Refusal;
use crate::gateway::model::{Operation, Shape, Structure};
use crate::gateway::value::Value;

/// Gives a body the types of an operation's input. Members that the model does not know are
/// ignored, and `null` is the same as absent. The first value that does not fit is refused.
pub fn types(operation: Operation, body: Value<'_>) -> Result<Input<'_>, Refusal> {
    let Some(structure) = operation.input() else {
        return Err(Refusal::not_offered(operation.name()));
    };
    members(structure, body)
}

fn members<'a>(structure: &'static Structure, body: Value<'a>) -> Result<Input<'a>, Refusal> {
    let entries = match body {
        Value::Map(entries) => entries,
        Value::List(_) => return Err(list_here()),
        _ => return Err(Refusal::serialization("Expected null")),
    };
    let mut input = Input::empty(structure);
    for (key, value) in entries {
        if let Some(at) = structure.index_of(&key) {
            input.members[at] = item(structure.members[at].shape, value)?;
        }
    }
    Ok(input)
}

fn item<'a>(shape: &'static Shape, value: Value<'a>) -> Result<Item<'a>, Refusal> {
    if value == Value::Null {
        return Ok(Item::Null);
    }
    match shape {
        Shape::Structure(structure) => members(structure, value).map(Item::Structure),
        Shape::Text(_) | Shape::Enum(_) => text(value).map(Item::Text),
        Shape::Int(_) => int(value).map(Item::Int),
        Shape::Bool => flag(value).map(Item::Bool),
        Shape::Blob { .. } => blob(value).map(Item::Blob),
        Shape::Time => time(value).map(Item::Time),
        Shape::List(list) => match value {
            Value::List(values) => {
                values.into_iter().map(|value| item(list.of, value)).collect::<Result<_, _>>()
            }
            Value::Map(_) => Err(map_here()),
            _ => Err(Refusal::serialization("Expected list or null")),
        }
        .map(Item::List),
        Shape::Map(_) => match value {
            Value::Map(entries) => entries
                .into_iter()
                .map(|(key, value)| Ok((key, text(value)?)))
                .collect::<Result<_, _>>(),
            Value::List(_) => Err(list_here()),
            _ => Err(Refusal::serialization("Expected map or null")),
        }
        .map(Item::Map),
    }
}

fn text(value: Value<'_>) -> Result<Cow<'_, str>, Refusal> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(mismatch(&other, "an String")),
    }
}

/// A fraction is cut off downwards, and what does not fit 32 bits becomes the nearest that does
/// (AWS).
fn int(value: Value<'_>) -> Result<i32, Refusal> {
    let n = match value {
        Value::Int(n) => n,
        // The cast saturates.
        Value::Float(n) => n.floor() as i64,
        other => return Err(mismatch(&other, "an Integer")),
    };
    Ok(n.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32)
}

fn flag(value: Value<'_>) -> Result<bool, Refusal> {
    match value {
        Value::Bool(flag) => Ok(flag),
        // AWS converts these words, and shows others in capitals.
        Value::Text(text) => match text.to_ascii_uppercase().as_str() {
            "TRUE" | "1" | "YES" => Ok(true),
            "FALSE" | "0" | "NO" => Ok(false),
            other => {
                let text = format!("'{}' can not be converted to an Boolean", shown(other));
                Err(Refusal::serialization(text))
            }
        },
        other => Err(mismatch(&other, "an Boolean")),
    }
}

fn blob(value: Value<'_>) -> Result<Cow<'_, [u8]>, Refusal> {
    match value {
        Value::Blob(bytes) => Ok(bytes),
        Value::Text(text) => decode(&text).map(Cow::Owned),
        other => Err(mismatch(&other, "a Blob")),
    }
}

/// JSON has seconds, with a fraction; only CBOR has a type for times.
fn time(value: Value<'_>) -> Result<Millis, Refusal> {
    match value {
        Value::Time(time) => Ok(time),
        // Before 1970 nothing was put.
        Value::Int(seconds) => Ok(Millis(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000))),
        // The cast saturates, and makes 0 of what is negative.
        Value::Float(seconds) => Ok(Millis((seconds * 1000.0).round() as u64)),
        other => Err(mismatch(&other, "milliseconds since epoch")),
    }
}

/// A value that cannot become `wanted`.
fn mismatch(value: &Value<'_>, wanted: &str) -> Refusal {
    let class = match value {
        Value::List(_) => return list_here(),
        Value::Map(_) => return map_here(),
        Value::Null => "null",
        Value::Bool(_) => "class java.lang.Boolean",
        Value::Int(_) | Value::Float(_) => {
            "class com.amazon.coral.value.json.numbers.TruncatingBigNumber"
        }
        Value::Text(_) => "class java.lang.String",
        Value::Blob(_) => "class java.nio.HeapByteBuffer",
        Value::Time(_) => "class java.util.Date",
    };
    Refusal::serialization(format!("{class} can not be converted to {wanted}"))
}

fn list_here() -> Refusal {
    Refusal::serialization("Start of list found where not expected")
}

fn map_here() -> Refusal {
    Refusal::serialization("Start of structure or map found where not expected.")
}
