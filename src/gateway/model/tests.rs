use super::*;

#[test]
fn every_operation_of_the_api_has_a_name_and_a_target() {
    assert_eq!(Operation::ALL.len(), 57);
    assert!(Operation::ALL.is_sorted_by_key(|operation| operation.name()));
    for operation in Operation::ALL {
        let target = format!("Kinesis_20131202.{}", operation.name());
        assert_eq!(Operation::by_target(&target), Some(*operation));
    }
    for target in ["", "ListStreams", "Kinesis_20131202.", "Kinesis_20131202.ListStream"] {
        assert_eq!(Operation::by_target(target), None, "{target}");
    }
    assert_eq!(Operation::by_target("DynamoDB_20120810.ListStreams"), None);
}

#[test]
fn the_families_of_channels_and_queues_are_not_offered() {
    for operation in Operation::ALL {
        let family = operation.name().contains("Channel") || operation.name().contains("Queue");
        assert_eq!(operation.input().is_none(), family, "{operation:?}");
    }
    let offered = Operation::ALL.iter().filter(|operation| operation.input().is_some());
    assert_eq!(offered.count(), 57 - 5 - 12);
}

/// Every input as one line, members by name. The file was made from the model of botocore 1.44.5,
/// not from the tables here.
#[test]
fn inputs_have_the_members_of_awss_model() {
    let lines: Vec<_> = Operation::ALL
        .iter()
        .filter_map(|operation| Some(format!("{operation:?}: {}", members(operation.input()?))))
        .collect();
    assert_eq!(lines.join("\n"), include_str!("inputs.txt").trim());
}

fn members(structure: &Structure) -> String {
    let mut members: Vec<_> = structure.members.iter().collect();
    members.sort_by_key(|member| member.name);
    let all = members.into_iter().map(|member| {
        let star = if member.required { "*" } else { "" };
        format!("{}{star} {}", member.name, shape(member.shape))
    });
    all.collect::<Vec<_>>().join(", ")
}

fn shape(shape_of: &Shape) -> String {
    match shape_of {
        Shape::Structure(structure) => format!("{{{}}}", members(structure)),
        Shape::Text(text) => match text.pattern {
            None => format!("text{}", range(text.length)),
            Some(pattern) => format!("text{} /{}/", range(text.length), pattern.text()),
        },
        Shape::Enum(words) => {
            let mut words = words.to_vec();
            words.sort_unstable();
            words.join("|")
        }
        Shape::Int(bounds) => format!("int{}", range(*bounds)),
        Shape::Bool => "bool".to_owned(),
        Shape::Blob { max } => format!("blob ..{max}"),
        Shape::Time => "time".to_owned(),
        Shape::List(list) => format!("list{} of {}", range(list.length), shape(list.of)),
        Shape::Map(map) => {
            let (key, value) = (range(map.key), range(map.value));
            format!("map{} of{key} to{value}", range(map.length))
        }
    }
}

fn range(range: Range) -> String {
    let bound = |bound: Option<i64>| bound.map_or(String::new(), |n| n.to_string());
    match range {
        Range::ANY => String::new(),
        Range { min, max } => format!(" {}..{}", bound(min), bound(max)),
    }
}
