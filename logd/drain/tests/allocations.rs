//! A line that becomes a message allocates nothing, whatever the receiver's form, once the memory of
//! a batch is there and its origin is known.

use allocation_counter::measure;
use fairlead_drain::target::Target;
use fairlead_drain::{Batch, Credentials, Guard, Line, Network, open};
use fairlead_wire::{Incarnation, message::Source, record::Flags};

#[test]
fn messages_of_syslog_and_gelf_allocate_nothing() {
    let source = Source {
        namespace: "shop".into(),
        app: "front".into(),
        pod: "front-web-6f7c-x7k2p".into(),
        process: "web".into(),
        ..Source::default()
    };
    let incarnation =
        Incarnation { pod_uid: "u-1".into(), container: "web".into(), restart: 0, first_line: 10 };
    let network = Network::new(Guard::platform(), 1);
    for url in [
        "syslog://h",
        "syslog+tcp://h:1",
        "syslog+tcp://h:1?framing=lf",
        "syslog://h?format=rfc3164",
        "gelf://h",
        "gelf+tcp://h",
    ] {
        let target = Target::parse(url).expect("well-formed");
        let mut sink = open(&target, &Credentials::default(), &network).expect("it fits");
        let mut batch = Batch::default();
        let mut fill = |batch: &mut Batch| {
            batch.clear();
            for number in 0..100 {
                let line = Line {
                    origin: 1,
                    source: &source,
                    incarnation: &incarnation,
                    end: number,
                    // Of several seconds: the time's text is made again.
                    time: 1_795_168_800_123_456_789 + number as i64 * 100_000_000,
                    flags: Flags::STDERR,
                    payload: b"GET /index.html\n\0 200 \xc3\xa4",
                };
                assert_eq!(sink.encode(&line, batch), None);
            }
        };
        fill(&mut batch);
        let allocated = measure(|| fill(&mut batch)).count_total;
        assert_eq!(allocated, 0, "{url}");
    }
}
