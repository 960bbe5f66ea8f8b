//! Kafka 4.4.0 itself read these values and wrote them unchanged: what is too new, or too deep
//! inside, for the other implementation to know.

use bytes::Bytes;

use super::subject;

#[test]
fn what_kafka_wrote_is_written_again() {
    let subjects = subject::all();
    let mut lines = 0;
    for line in FIXTURE.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let name = words.next().unwrap();
        let number: i16 = words.next().unwrap().parse().unwrap();
        let bytes = Bytes::from(unhex(words.next().unwrap_or_default()));
        let subject = subjects.iter().find(|subject| subject.name == name).unwrap();
        let v = subject.versions().find(|v| v.number == number).unwrap();
        let mut src = bytes.clone();
        assert_eq!(subject.decode(&mut src, v), Ok(bytes), "{name} v{number}");
        assert!(src.is_empty(), "{name} v{number}");
        lines += 1;
    }
    assert_eq!(lines, LINES);
}

fn unhex(digits: &str) -> Vec<u8> {
    let digits: Vec<_> = digits.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

const FIXTURE: &str = include_str!("../../tests/fixtures/messages/kafka-4.4.txt");
const LINES: usize = 144;
