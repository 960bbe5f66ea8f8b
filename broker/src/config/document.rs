//! `docs/CONFIGURATION.md` is written from the table: this test tells when the two differ, and
//! with `MILENA_WRITE_DOCS=1` writes it anew.

use std::{fmt::Write as _, path::Path};

use super::{Key, Valid, table};

#[test]
#[expect(clippy::disallowed_methods, reason = "the document is a file of the project")]
fn the_document_says_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/CONFIGURATION.md");
    let expected = document();
    if std::env::var_os("MILENA_WRITE_DOCS").is_some() {
        std::fs::write(&path, &expected).expect("write the document");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/CONFIGURATION.md is out of date; write it anew with \
         `MILENA_WRITE_DOCS=1 cargo test -p milena-broker the_document`"
    );
}

fn document() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         Settings have Kafka's names and, unless their text says otherwise, Kafka's meaning. A broker\n\
         reads them from a properties file (`milena serve --config FILE`) and from `--set KEY=VALUE`,\n\
         which wins. A key that is not in this table is warned about and passed over; a wrong value\n\
         is an error that names the key, the value and what is allowed.\n\n\
         This document is written from the table in the source (`broker/src/config/table/`) and a\n\
         test compares the two.\n\n\
         ## Broker\n\n\
         \"Changes\" tells whether a setting is read once, at start (`read-only`), or can be altered\n\
         while the broker runs, for one broker or for all (`cluster-wide`).\n\n\
         | key | type | default | changes | meaning |\n|---|---|---|---|---|\n",
    );
    for key in table().broker {
        let update = key.update;
        row(&mut text, key, &[&update.to_string()]);
    }
    text.push_str(
        "\n## Topic\n\n\
         Set when a topic is created, or altered later. A topic that does not set a key has the\n\
         broker's value, from the first of the broker keys named here that is set.\n\n\
         The topics that brokers keep their own state in are synced before anybody is answered,\n\
         whatever `log.flush.policy` is. Commits of offsets are faster, and as safe as with one\n\
         broker of Kafka, once the topic that holds them is set otherwise:\n\n\
         ```\n\
         milena config set --topic __consumer_offsets flush.policy=os\n\
         ```\n\n\
         After a loss of power a group then reads again what it committed last. What it commits in\n\
         transactions is synced even so. `--delete flush.policy` takes the setting back.\n\n\
         | key | type | default | broker keys | meaning |\n|---|---|---|---|---|\n",
    );
    for key in table().topic.iter().filter(|key| key.inert.is_none()) {
        let names: Vec<_> = key.synonyms.iter().map(|(name, _)| format!("`{name}`")).collect();
        row(&mut text, key, &[&names.join(", ")]);
    }
    text.push_str(
        "\n## Group\n\n\
         Set while the broker runs, for one group, within the bounds that the broker's settings\n\
         `group.consumer.min.*` and `group.consumer.max.*` draw.\n\n\
         | key | type | default | broker keys | meaning |\n|---|---|---|---|---|\n",
    );
    for key in table().group {
        let names: Vec<_> = key.synonyms.iter().map(|(name, _)| format!("`{name}`")).collect();
        row(&mut text, key, &[&names.join(", ")]);
    }
    text.push_str(
        "\n## Topic settings that are kept but do not act yet\n\n\
         They are accepted, so that tools which always set them work, and shown again; nothing\n\
         reads them until what they are about exists.\n\n\
         | key | type | default | waits for | meaning |\n|---|---|---|---|---|\n",
    );
    for key in table().topic {
        if let Some(reason) = key.inert {
            row(&mut text, key, &[reason]);
        }
    }
    text
}

fn row(text: &mut String, key: &Key, columns: &[&str]) {
    let kind = match key.valid {
        Valid::Any | Valid::NotEmpty => key.kind.to_string(),
        _ => key.allowed(),
    };
    let default = match key.default {
        None => "none".to_owned(),
        Some("") => "empty".to_owned(),
        Some("9223372036854775807") => "without limit".to_owned(),
        Some(value) => format!("`{value}`"),
    };
    writeln!(
        text,
        "| `{}` | {kind} | {default} | {} | {} |",
        key.name,
        columns.join(" | "),
        key.doc
    )
    .expect("a string takes any text");
}
