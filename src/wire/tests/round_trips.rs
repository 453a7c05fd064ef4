//! Every message comes back as it was, and one that is cut or continued is refused.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::values::*;
use super::*;
use crate::base::ids::{CoreId, Seq, ShardNumber};

/// A message without a body: see [`holds`].
macro_rules! whole {
    ($message:expr) => {{
        let message = &$message;
        let mut bytes = encode(|w| message.write(w));
        bytes.push(0);
        holds(message, &bytes);
    }};
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hello_round_trips(
        versions in any::<(u16, u16)>(), features in any::<u64>(), core in any::<u16>(),
        client in any_name(),
    ) {
        let (version_min, version_max) = versions;
        let wanted_core = CoreId(core);
        let message = Hello { version_min, version_max, features, wanted_core, client: &client };
        whole!(message);
    }

    #[test]
    fn hello_answer_round_trips(
        version in any::<u16>(), features in any::<u64>(), core in any::<u16>(),
        cores in any::<u16>(), server in any::<[u8; 16]>(), release in any_name(),
    ) {
        let core = CoreId(core);
        let message = HelloAnswer { version, features, core, cores, server, release: &release };
        whole!(message);
    }

    #[test]
    fn stream_requests_round_trip(
        name in any_name(), number in any::<u32>(), after in option::of(any_shard()),
        options in any_options(), tags in any_tags(), with_consumers in any::<bool>(),
    ) {
        let name = name.as_str();
        whole!(CreateStream { name, shards: number, options, tags });
        whole!(DeleteStream { name, with_consumers });
        whole!(DescribeStream { name, after, limit: number });
        whole!(StreamName { name });
        whole!(ListStreams { after: name, limit: number });
    }

    #[test]
    fn stream_answers_round_trip(
        description in any_description(),
        streams in vec(any_summary(), 0..5),
        more in any::<bool>(),
    ) {
        whole!(description);
        whole!(description.summary);
        let StreamDescription { summary, shards, .. } = description;
        let map = ShardMap { stream: summary.uuid, map_version: summary.map_version, shards };
        whole!(map);
        whole!(StreamList { more, streams });
    }

    #[test]
    fn changes_of_a_stream_round_trip(
        name in any_name(), change in any_change(), reshard in any_reshard(),
        shards in any_shards(), numbers in any::<(u32, u32, u64)>(),
    ) {
        whole!(AlterStream { name: &name, change });
        whole!(ReshardStream { name: &name, reshard });
        let (before, after, map_version) = numbers;
        whole!(Resharded { before, after, map_version, shards });
    }

    #[test]
    fn shard_listings_and_counts_round_trip(
        name in any_name(), filter in any_filter(), after in option::of(any_shard()),
        limit in any::<u32>(), stream in any_stream(), core in any::<u16>(),
        more in any::<bool>(), shards in any_shards(), stats in vec(any_stats(), 0..6),
    ) {
        whole!(ListShards { name: &name, filter, after, limit });
        whole!(ShardList { more, shards });
        whole!(GetShardStats { stream, core: CoreId(core), after });
        whole!(ShardCounts { more, shards: stats });
    }

    #[test]
    fn consumers_and_tags_round_trip(
        stream in any_name(), consumer in any_name(), limit in any::<u32>(), add in any_tags(),
        remove in any_keys(), consumers in vec(any_consumer(), 0..5), more in any::<bool>(),
    ) {
        let (stream, consumer) = (stream.as_str(), consumer.as_str());
        let name = ConsumerName { stream, consumer };
        whole!(name);
        whole!(RegisterConsumer { name, tags: add.clone() });
        whole!(TagConsumer { name, add: add.clone(), remove });
        whole!(ListConsumers { stream, after: consumer, limit });
        whole!(ListTags { stream, consumer });
        whole!(TagList(add));
        for consumer in &consumers {
            whole!(*consumer);
        }
        whole!(ConsumerList { more, consumers });
    }

    #[test]
    fn the_account_round_trips(account in any_account(), commitment in any::<bool>()) {
        whole!(account);
        whole!(UpdateAccount { commitment });
    }

    #[test]
    fn put_round_trips(
        stream in any_stream(), shard in any::<u32>(), map_version in any::<u64>(),
        batch in vec(any::<u8>(), 0..60),
    ) {
        let shard = ShardNumber(shard);
        let message = Put { stream, shard, map_version, batch: &batch };
        let mut bytes = encode(|w| message.write_prefix(w));
        let prefix = bytes.len();
        prop_assert_eq!(prefix, crate::wire::put::PUT_PREFIX_BYTES);
        bytes.extend(&batch);
        holds_with_body(&message, &bytes, prefix);
    }

    #[test]
    fn put_answer_round_trips((runs, run_of) in any_put_outcome(), text in any_name()) {
        let mut bytes = encode(|w| write_put_answer(w, &runs, &text, &run_of));
        bytes.push(0);
        holds(&PutAnswer { runs, message: &text, run_of }, &bytes);
    }

    #[test]
    fn get_iterator_round_trips(
        stream in any_stream(), shard in any_shard(), position in any_position(),
    ) {
        let message = GetIterator { stream, shard, position };
        whole!(message);
    }

    #[test]
    fn get_round_trips(
        iterator in vec(any::<u8>(), 0..80), numbers in any::<[u32; 3]>(),
    ) {
        let [limit, bytes_max, wait_ms] = numbers;
        let message = Get { iterator: &iterator, limit, bytes_max, wait_ms };
        whole!(message);
    }

    #[test]
    fn get_answer_round_trips(
        next_iterator in vec(any::<u8>(), 0..80),
        numbers in any::<[u64; 3]>(),
        children in any_children(),
        batches in vec(any::<u8>(), 0..60),
    ) {
        let [behind_ms, first, end] = numbers;
        let (first, end) = (Seq(first), Seq(end));
        let next_iterator = &next_iterator;
        let batches = batches.as_slice();
        let message = GetAnswer { next_iterator, behind_ms, first, end, children, batches };
        let mut bytes = encode(|w| message.write_prefix(w));
        let prefix = bytes.len();
        bytes.extend(batches);
        holds_with_body(&message, &bytes, prefix);
    }

    #[test]
    fn subscription_requests_round_trip(
        subscription in any::<u32>(), stream in any_stream(), shard in any_shard(),
        consumer in any_name(), position in any_position(), credit in any::<u64>(),
    ) {
        let consumer = consumer.as_str();
        let message = Subscribe { subscription, stream, shard, consumer, position, credit };
        whole!(message);
        let message = Credit { subscription, bytes: credit };
        whole!(message);
        let message = Unsubscribe { subscription };
        whole!(message);
    }

    #[test]
    fn what_a_subscription_brings_round_trips(
        subscription in any::<u32>(), numbers in any::<[u64; 2]>(), code in any_code(),
        text in any_name(), children in any_children(),
        batches in vec(any::<u8>(), 0..60),
    ) {
        let [first, behind_ms] = numbers;
        let message = SubscribeAnswer { start: Seq(first) };
        whole!(message);
        let continue_at = Seq(first);
        let message = SubscriptionEnd { subscription, continue_at, code, message: &text };
        whole!(message);
        whole!(ShardEnded { subscription, end: Seq(first), children });
        let message = Push { subscription, first: Seq(first), behind_ms, batches: &batches };
        let mut bytes = encode(|w| message.write_prefix(w));
        let prefix = bytes.len();
        bytes.extend(&batches);
        holds_with_body(&message, &bytes, prefix);
    }

    #[test]
    fn error_round_trips(code in any_code(), closes in any::<bool>(), message in any_name()) {
        let message = ErrorFrame { code, closes, message: &message };
        whole!(message);
    }
}
