//! A container's log file, in CRI or whatever else stands in it, read with a stop in between.
#![no_main]

use std::time::Instant;

use fairlead_shipper::decode::{Decoder, Pack, Position, Rule};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, bool, &[u8])| {
    let (stop, multiline, file) = input;
    let now = Instant::now();
    let read = |from: Position, file: &[u8], records: &mut Vec<u8>, end: bool| {
        let mut pack = Pack::new(from.to, records, Rule::Send);
        let mut decoder = Decoder::resume(from, multiline);
        let at = usize::try_from(from.read_from()).expect("within the file");
        let fed = decoder.feed(&file[at..], now, &mut pack);
        if end {
            decoder.finish(&file[at + fed..], now, &mut pack);
        }
        (decoder.position(), pack.tally.sent)
    };
    let mut whole = Vec::new();
    let (end, all) = read(Position::default(), file, &mut whole, true);
    assert_eq!(end, Position::at(file.len() as u64));
    let stop = usize::from(stop).min(file.len());
    let (position, first) = read(Position::default(), &file[..stop], &mut Vec::new(), false);
    let (_, second) = read(position, file, &mut Vec::new(), true);
    assert_eq!(first.records + second.records, all.records, "a stop changes nothing");
    assert_eq!(first.bytes + second.bytes, all.bytes, "a stop changes nothing");
});
