//! What others are told of a consumer group.

use milena_protocol::{
    messages::groups::{
        consumer_group_describe::{Assignment, DescribedGroup, Member as Shown, TopicPartitions},
        list_groups::ListedGroup,
    },
    wire::Str,
};

use super::{Group, member::Member};
use crate::coordinator::group::{Catalog, Limits, assignor::Partitions};

impl Group {
    pub(in crate::coordinator::group) fn describe(
        &self,
        limits: &Limits,
        catalog: &Catalog,
    ) -> DescribedGroup {
        let nothing = Partitions::new();
        let members = self.members.iter().map(|(id, member)| {
            let target = self.targets.get(id).map_or(&nothing, |target| target);
            describe_member(id, member, target, catalog)
        });
        DescribedGroup {
            group_id: self.id.clone(),
            group_state: Str::from_static(self.state().name()),
            group_epoch: self.epoch,
            assignment_epoch: self.target_epoch,
            assignor_name: Str::from_static(self.assignor(limits).name()),
            members: members.collect(),
            ..DescribedGroup::default()
        }
    }

    pub(in crate::coordinator::group) fn list(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.id.clone(),
            protocol_type: Str::from_static(CONSUMER),
            group_state: Str::from_static(self.state().name()),
            group_type: Str::from_static(CONSUMER),
        }
    }
}

fn describe_member(id: &Str, member: &Member, target: &Partitions, catalog: &Catalog) -> Shown {
    let about = &member.about;
    let mut reads = Partitions::new();
    for (topic, index) in member.holds() {
        reads.entry(topic).or_default().insert(index);
    }
    Shown {
        member_id: id.clone(),
        instance_id: about.instance.clone(),
        rack_id: about.rack.clone(),
        member_epoch: member.epoch,
        client_id: about.client_id.clone(),
        client_host: about.client_host.clone(),
        subscribed_topic_names: about.topics.iter().cloned().collect(),
        subscribed_topic_regex: Some(about.pattern.clone()),
        assignment: shown(&reads, catalog),
        target_assignment: shown(target, catalog),
        member_type: if about.classic.is_some() { CLASSIC_MEMBER } else { CONSUMER_MEMBER },
    }
}

/// Topics that are no more have no name to be shown by.
fn shown(partitions: &Partitions, catalog: &Catalog) -> Assignment {
    let topics = partitions.iter().filter_map(|(&topic_id, indexes)| {
        Some(TopicPartitions {
            topic_id,
            topic_name: catalog.topic_by_id(topic_id)?.name.clone(),
            partitions: indexes.iter().copied().collect(),
        })
    });
    Assignment { topic_partitions: topics.collect() }
}

const CONSUMER: &str = "consumer";
const CLASSIC_MEMBER: i8 = 0;
const CONSUMER_MEMBER: i8 = 1;
