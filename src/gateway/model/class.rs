//! What operations are counted as.

use super::Operation;
use crate::metrics::HttpClass;

impl Operation {
    /// The count that its requests go to.
    #[must_use]
    pub fn class(self) -> HttpClass {
        match self {
            Operation::PutRecord | Operation::PutRecords => HttpClass::Put,
            Operation::GetRecords | Operation::GetShardIterator => HttpClass::Get,
            Operation::SubscribeToShard => HttpClass::Subscribe,
            other if other.input().is_none() => HttpClass::Unknown,
            other => {
                let name = other.name();
                let looks = ["Describe", "List", "Get"].iter().any(|verb| name.starts_with(verb));
                if looks { HttpClass::List } else { HttpClass::Change }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_counts_as_what_it_does() {
        let count = |class| Operation::ALL.iter().filter(|o| o.class() == class).count();
        assert_eq!((count(HttpClass::Put), count(HttpClass::Get)), (2, 2));
        assert_eq!(count(HttpClass::Subscribe), 1);
        assert_eq!(Operation::GetResourcePolicy.class(), HttpClass::List);
        assert_eq!(Operation::TagResource.class(), HttpClass::Change);
        assert_eq!(Operation::CreateQueue.class(), HttpClass::Unknown);
    }
}
