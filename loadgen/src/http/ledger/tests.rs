use super::*;
use crate::http::pool::Operation;
use crate::http::pool::tests::{pool, shards};

fn reader(count: usize) -> (Reader, Rc<[Rc<Pool>]>) {
    let pools: Rc<[Rc<Pool>]> =
        (0..2).map(|w| Rc::new(pool(w, Operation::PutRecords, 4, count))).collect();
    let shards: Rc<[HttpShard]> = shards(count).into();
    (Reader::new(&pools, &shards), pools)
}

/// The data of a writer's record, in base64, as it lies in the body that sent it.
fn data(pool: &Pool, counter: u64) -> String {
    let slot = counter as usize / pool.batch_records();
    let body: serde_json::Value = serde_json::from_slice(&pool.batch(slot).body).expect("JSON");
    let record = &body["Records"][counter as usize % pool.batch_records()];
    record["Data"].as_str().expect("text").to_owned()
}

fn take(reader: &mut Reader, shard: usize, number: &str, data: &str) -> Result<Seen, Kind> {
    let key = format!("k{shard}");
    let record = Record {
        sequence_number: number.into(),
        data: data.into(),
        partition_key: key.as_str().into(),
    };
    reader.take(shard, &record, |_| 4).map_err(|mismatch| mismatch.kind)
}

#[test]
fn what_was_acknowledged_and_read_alike_is_equal() {
    let (mut reader, pools) = reader(2);
    let mut acked = Ledger::new(2, 2);
    for (number, counter) in (10u64..).zip([0, 1, 2, 3, 6, 7]) {
        let shard = pools[1].shard_of(counter);
        let number = number.to_string();
        let seen = take(&mut reader, shard, &number, &data(&pools[1], counter));
        assert_eq!(seen, Ok(Seen { writer: 1, batch: counter / 4 }));
        acked.add(1, shard, &number, pools[1].record_hash(counter).expect("it is in the pool"));
    }
    acked.compare(reader.ledger(), &shards(2)).expect("no difference");
    let before = acked.clone();
    acked.add(1, 0, "99", 7);
    let lost = acked.compare(reader.ledger(), &shards(2)).expect_err("one is missing");
    assert_eq!((lost.shard.as_str(), lost.kind), ("shardId-000000000000", Kind::Count(1, 4, 3)));
    before.compare(&acked, &shards(2)).expect_err("one was never acknowledged");
}

#[test]
fn other_numbers_or_another_order_are_a_difference() {
    let (mut first, mut second) = (Ledger::new(1, 1), Ledger::new(1, 1));
    for (number, hash) in [("5", 1), ("6", 2)] {
        first.add(0, 0, number, hash);
    }
    for (number, hash) in [("5", 1), ("7", 2)] {
        second.add(0, 0, number, hash);
    }
    let mismatch = first.compare(&second, &shards(1)).expect_err("another number");
    assert_eq!(mismatch.kind, Kind::Chain(0));
}

#[test]
fn numbers_ascend_as_numbers_and_not_as_texts() {
    let (mut reader, pools) = reader(1);
    for (number, counter) in [("9", 0), ("10", 1)] {
        take(&mut reader, 0, number, &data(&pools[0], counter)).expect("above the one before");
    }
    for number in ["10", "9", "09"] {
        let kind = take(&mut reader, 0, number, &data(&pools[0], 2)).expect_err("not above");
        assert_eq!(kind, Kind::Order("10".to_owned()), "{number}");
    }
}

#[test]
fn changed_records_are_found() {
    let (mut reader, pools) = reader(2);
    let [own, other] = [data(&pools[0], 0), data(&pools[0], 1)];
    let mut bytes = STANDARD.decode(&own).expect("base64");
    bytes[30] ^= 1;
    assert_eq!(take(&mut reader, 0, "1", &STANDARD.encode(&bytes)), Err(Kind::Payload));
    assert_eq!(take(&mut reader, 0, "2", "?"), Err(Kind::Payload));
    assert_eq!(take(&mut reader, 0, "3", &other), Err(Kind::Foreign), "it is of shard 1");
    bytes[0] = 9;
    assert_eq!(take(&mut reader, 0, "4", &STANDARD.encode(&bytes)), Err(Kind::Foreign));
    let record = Record {
        sequence_number: "5".into(),
        data: own.as_str().into(),
        partition_key: "x".into(),
    };
    let mismatch = reader.take(0, &record, |_| 4).expect_err("another key");
    assert_eq!(mismatch.kind, Kind::PartitionKey);
}

#[test]
fn a_record_that_comes_again_or_late_is_out_of_order() {
    let (mut reader, pools) = reader(1);
    for counter in [0, 1, 5] {
        take(&mut reader, 0, &(counter + 1).to_string(), &data(&pools[0], counter)).expect("next");
    }
    for (number, counter) in [("7", 5), ("8", 2)] {
        let kind = take(&mut reader, 0, number, &data(&pools[0], counter)).expect_err("again");
        assert_eq!(kind, Kind::WriterOrder(0));
    }
}
