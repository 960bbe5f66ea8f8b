//! DescribeTopicPartitions v0 (KIP-966): topics page by page, by name. Left out: nothing; without
//! replication the eligible leader replicas are always empty.

use std::{collections::BTreeMap, sync::Arc};

use milena_protocol::{
    ErrorCode,
    messages::{
        DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
        topics::describe_topic_partitions::{
            Cursor, CursorResult, DescribeTopicPartitionsResponsePartition,
            DescribeTopicPartitionsResponseTopic,
        },
    },
    wire::Str,
};

use crate::{
    controller::check_topic_name,
    handlers::{Context, operations},
    metadata::{Image, Topic, is_internal},
    services::Services,
};

pub async fn describe_topic_partitions(
    services: &Arc<Services>,
    _cx: &Context,
    r: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let image = services.metadata.image();
    let names: Vec<Str> = r.topics.into_iter().map(|topic| topic.name).collect();
    let asked = (!names.is_empty()).then_some(names);
    let limit = r.response_partition_limit.clamp(1, PARTITIONS_PER_PAGE_MAX);
    page(&image, asked, r.cursor, usize::try_from(limit).unwrap_or(1))
}

/// Up to `limit` partitions from `cursor` on, of the topics `asked` for or of all.
fn page(
    image: &Image,
    asked: Option<Vec<Str>>,
    cursor: Option<Cursor>,
    limit: usize,
) -> DescribeTopicPartitionsResponse {
    let begin = cursor.as_ref().map_or("", |cursor| &cursor.topic_name);
    let first_index = cursor.as_ref().map_or(0, |cursor| cursor.partition_index);
    let strays = asked.as_ref().is_some_and(|names| !names.iter().any(|name| **name == *begin));
    if first_index < 0 || (cursor.is_some() && strays) {
        return refused(asked.unwrap_or_default());
    }
    let mut response = DescribeTopicPartitionsResponse::default();
    let mut room = limit;
    for (name, topic) in in_order(image, asked, begin) {
        if room == 0 {
            response.next_cursor = Some(CursorResult { topic_name: name, partition_index: 0 });
            break;
        }
        let Some(topic) = topic else {
            response.topics.push(unknown(name));
            continue;
        };
        let from = match *name == *begin {
            true => usize::try_from(first_index).unwrap_or(0),
            false => 0,
        };
        let shown = describe(topic, from, room);
        let next = from + shown.partitions.len();
        room -= shown.partitions.len();
        response.topics.push(shown);
        if next < topic.partitions.len() {
            let partition_index = i32::try_from(next).unwrap_or(i32::MAX);
            response.next_cursor = Some(CursorResult { topic_name: name, partition_index });
            break;
        }
    }
    response
}

/// Names from `begin` on in order, each once, with the topics that have them.
fn in_order<'a>(
    image: &'a Image,
    asked: Option<Vec<Str>>,
    begin: &'a str,
) -> Box<dyn Iterator<Item = (Str, Option<&'a Arc<Topic>>)> + 'a> {
    match asked {
        None => Box::new(image.topics_from(begin).map(|topic| (topic.name.clone(), Some(topic)))),
        Some(names) => {
            let chosen: BTreeMap<Str, _> = names
                .into_iter()
                .filter(|name| **name >= *begin)
                .map(|name| (name.clone(), image.topic(&name)))
                .collect();
            Box::new(chosen.into_iter())
        }
    }
}

fn describe(topic: &Topic, from: usize, count: usize) -> DescribeTopicPartitionsResponseTopic {
    let chosen = (0..).zip(&topic.partitions).skip(from).take(count);
    let partitions =
        chosen.map(|(partition_index, partition)| DescribeTopicPartitionsResponsePartition {
            error_code: match partition.leader {
                -1 => ErrorCode::LeaderNotAvailable,
                _ => ErrorCode::None,
            },
            partition_index,
            leader_id: partition.leader,
            leader_epoch: partition.leader_epoch.0,
            replica_nodes: partition.replicas.clone(),
            isr_nodes: partition.isr.clone(),
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            offline_replicas: Vec::new(),
        });
    DescribeTopicPartitionsResponseTopic {
        name: Some(topic.name.clone()),
        topic_id: topic.id,
        is_internal: is_internal(&topic.name),
        partitions: partitions.collect(),
        topic_authorized_operations: operations::TOPIC,
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

fn unknown(name: Str) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        error_code: match check_topic_name(&name) {
            Ok(()) => ErrorCode::UnknownTopicOrPartition,
            Err(_) => ErrorCode::InvalidTopicException,
        },
        name: Some(name),
        topic_authorized_operations: operations::TOPIC,
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

/// A cursor that points nowhere: the answer has no place for an error but the topics.
fn refused(asked: Vec<Str>) -> DescribeTopicPartitionsResponse {
    let topics = asked.into_iter().map(|name| DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::InvalidRequest,
        name: Some(name),
        ..DescribeTopicPartitionsResponseTopic::default()
    });
    DescribeTopicPartitionsResponse {
        topics: topics.collect(),
        ..DescribeTopicPartitionsResponse::default()
    }
}

/// Kafka's own limit, whatever the client asks for.
const PARTITIONS_PER_PAGE_MAX: i32 = 2000;

#[cfg(test)]
mod tests {
    use milena_protocol::{
        Uuid,
        state::metadata::{MetadataRecord, PartitionRecord, TopicRecord},
    };

    use super::*;

    fn image(topics: &[(&str, i32)]) -> Image {
        let mut image = Image::default();
        for (seed, (name, partitions)) in (1..).zip(topics) {
            let topic_id = Uuid([seed; 16]);
            let mut records: Vec<MetadataRecord> =
                vec![TopicRecord { name: Str::from(*name), topic_id }.into()];
            records.extend((0..*partitions).map(|partition_id| {
                PartitionRecord { partition_id, topic_id, ..PartitionRecord::default() }.into()
            }));
            for record in records {
                image.apply(&record, image.end()).unwrap();
            }
        }
        image
    }

    fn shown(response: &DescribeTopicPartitionsResponse) -> (Vec<(String, usize)>, Option<String>) {
        let topics = response
            .topics
            .iter()
            .map(|topic| (topic.name.as_ref().unwrap().to_string(), topic.partitions.len()));
        let next = response.next_cursor.as_ref();
        (topics.collect(), next.map(|at| format!("{}-{}", at.topic_name, at.partition_index)))
    }

    fn at(topic: &'static str, partition_index: i32) -> Option<Cursor> {
        Some(Cursor { topic_name: Str::from_static(topic), partition_index })
    }

    #[test]
    fn pages_follow_each_other_through_all_topics() {
        let image = image(&[("b", 3), ("a", 2)]);
        let pair = |name: &str, count| (name.to_owned(), count);
        let first = page(&image, None, None, 3);
        assert_eq!(shown(&first), (vec![pair("a", 2), pair("b", 1)], Some("b-1".to_owned())));
        let second = page(&image, None, at("b", 1), 3);
        assert_eq!(shown(&second), (vec![pair("b", 2)], None));
        let even = page(&image, None, None, 2);
        assert_eq!(shown(&even), (vec![pair("a", 2)], Some("b-0".to_owned())));
    }

    #[test]
    fn topics_asked_for_are_answered_in_order_and_once() {
        let image = image(&[("a", 1)]);
        let names = ["x", "a", "a", "b/"].map(Str::from_static).to_vec();
        let response = page(&image, Some(names), None, 10);
        let codes: Vec<_> = response.topics.iter().map(|topic| topic.error_code).collect();
        assert_eq!(
            codes,
            [ErrorCode::None, ErrorCode::InvalidTopicException, ErrorCode::UnknownTopicOrPartition]
        );
    }

    #[test]
    fn a_cursor_that_points_nowhere_is_refused() {
        let image = image(&[("a", 1)]);
        let asked = || Some(vec![Str::from_static("a")]);
        for cursor in [at("b", 0), at("a", -1)] {
            let response = page(&image, asked(), cursor, 10);
            assert_eq!(response.topics[0].error_code, ErrorCode::InvalidRequest);
        }
    }
}
