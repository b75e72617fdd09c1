//! What a server must refuse of HTTP/2 (RFC 9113 §§3–8), in raw frames; named by section.
//!
//! The library that reads the frames ends the connection with PROTOCOL_ERROR where the standard has a code
//! of its own for it, and where a stream alone could be reset (§5.4.2 allows that).

use crate::support::{
    Backend,
    backend::OK,
    frames::{
        ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, GOAWAY, HEADERS, PADDED, PING,
        PREFACE, PRIORITIZED, PRIORITY, PUSH_PROMISE, RST_STREAM, Raw, SETTINGS, Said,
        WINDOW_UPDATE, fields, frame, get,
    },
    web,
};

/// How the server refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// GOAWAY with this code, and the end of the connection.
    Connection(u32),
    /// The end of the connection without a word.
    Closed,
    /// RST_STREAM with this code; the connection goes on.
    Stream(u32),
    /// An answer with this status.
    Status(u16),
    /// Not at all: the request is answered.
    Served,
}
use Refusal::{Closed, Connection, Served, Status, Stream};

const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;

/// Sends `frames` on a connection whose settings are agreed, and says what came of stream 1 or the
/// connection.
async fn refused(frames: &[Vec<u8>]) -> Refusal {
    let backend = Backend::answering(OK).await;
    let router = web(&[&backend]);
    let mut raw = Raw::open(router.http).await;
    raw.send(&frames.concat()).await;
    let refusal = match raw.said().await {
        None => Closed,
        Some(Said::Goaway { code }) => {
            assert_eq!(raw.said().await, None);
            Connection(code)
        }
        Some(Said::Reset { code, .. }) => {
            raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 101, &get(&[]))).await;
            while let Some(said) = raw.said().await {
                if said == (Said::Answer { stream: 101, status: 200 }) {
                    return Stream(code);
                }
            }
            panic!("the connection is gone");
        }
        Some(Said::Answer { status: 200, .. }) => return Served,
        Some(Said::Answer { status, .. }) => Status(status),
    };
    assert_eq!(backend.requests().len(), 0, "{refusal:?}");
    refusal
}

macro_rules! cases {
    ($($name:ident: $frames:expr => $expected:expr;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                assert_eq!(refused(&$frames).await, $expected);
            }
        )*
    };
}

fn headers(flags: u8, stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, flags, stream, block)
}

/// A whole request on stream 1 with these fields and no others.
fn request(all: &[(&str, &str)]) -> [Vec<u8>; 1] {
    [headers(END_HEADERS | END_STREAM, 1, &fields(all))]
}

/// GET with one more field.
fn with(name: &str, value: &str) -> [Vec<u8>; 1] {
    [headers(END_HEADERS | END_STREAM, 1, &get(&[(name, value)]))]
}

/// GET without, or with another value of, the field `name`.
fn but(name: &str, value: Option<&str>) -> [Vec<u8>; 1] {
    let all: Vec<_> = GET
        .iter()
        .filter_map(
            |field| if field.0 == name { value.map(|value| (name, value)) } else { Some(*field) },
        )
        .collect();
    request(&all)
}

fn post() -> Vec<u8> {
    headers(END_HEADERS, 1, &fields(&[&[(":method", "POST")], &GET[1..]].concat()))
}

fn setting(id: u16, value: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
}

/// More data than the connection was granted to send.
fn above_the_window() -> Vec<Vec<u8>> {
    let data = (0..5).map(|_| frame(DATA, 0, 1, &[b'x'; 16_384]));
    std::iter::once(post()).chain(data).collect()
}

/// A frame that says it is longer than it is.
fn oversized(kind: u8, stream: u32) -> Vec<u8> {
    let mut frame = frame(kind, 0, stream, &vec![0; 16_385]);
    frame[4] = 0;
    frame
}

cases! {
    section_4_1_an_unknown_frame_is_ignored:
        [frame(0x16, 0, 0, b"x"), with("x", "y")[0].clone()] => Served;
    section_4_1_unknown_flags_are_ignored:
        [frame(PING, 0x16, 0, &[0; 8]), with("x", "y")[0].clone()] => Served;
    section_4_1_the_reserved_bit_is_ignored:
        [frame(PING, 0, 1 << 31, &[0; 8]), with("x", "y")[0].clone()] => Served;
    section_4_2_data_above_the_size: [post(), oversized(DATA, 1)] => Connection(FRAME_SIZE_ERROR);
    section_4_2_headers_above_the_size: [oversized(HEADERS, 1)] => Connection(FRAME_SIZE_ERROR);
    section_4_3_a_block_that_is_none:
        [headers(END_HEADERS | END_STREAM, 1, &[0xff, 0xff, 0xff, 0xff, 0xff])]
        => Connection(PROTOCOL_ERROR);
    section_4_3_an_index_that_is_not_there:
        [headers(END_HEADERS | END_STREAM, 1, &[0xc6])] => Connection(PROTOCOL_ERROR);
    section_4_3_a_table_larger_than_agreed:
        [headers(END_HEADERS | END_STREAM, 1, &[&[0x3f, 0xe2, 0x5f][..], &get(&[])].concat())]
        => Connection(PROTOCOL_ERROR);
    section_4_3_a_block_interrupted_by_another_stream:
        [headers(0, 1, &get(&[])), headers(END_HEADERS | END_STREAM, 3, &get(&[]))]
        => Connection(PROTOCOL_ERROR);
    section_4_3_a_block_interrupted_by_priority:
        [headers(0, 1, &get(&[])), frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])]
        => Connection(PROTOCOL_ERROR);
    section_4_3_a_block_interrupted_by_data:
        [headers(0, 1, &get(&[])), frame(DATA, END_STREAM, 1, b"x")] => Connection(PROTOCOL_ERROR);
    section_4_3_a_block_interrupted_by_a_ping:
        [headers(0, 1, &get(&[])), frame(PING, 0, 0, &[0; 8])] => Connection(PROTOCOL_ERROR);
    section_5_5_a_block_interrupted_by_an_unknown_frame:
        [headers(0, 1, &get(&[])), frame(0x16, 0, 1, b"x")] => Connection(PROTOCOL_ERROR);
    section_4_3_an_index_of_nothing:
        [headers(END_HEADERS | END_STREAM, 1, &[&get(&[])[..], &[0x80]].concat())]
        => Connection(PROTOCOL_ERROR);
    section_4_3_a_table_size_behind_fields:
        [headers(END_HEADERS | END_STREAM, 1, &[&get(&[])[..], &[0x20]].concat())]
        => Connection(PROTOCOL_ERROR);
    section_4_3_a_string_longer_than_the_block:
        [headers(END_HEADERS | END_STREAM, 1, &[&get(&[])[..], &[0, 1, b'x', 9, b'y']].concat())]
        => Connection(PROTOCOL_ERROR);
    section_4_3_a_code_that_is_not_padded_with_ones:
        [headers(END_HEADERS | END_STREAM, 1, &[&get(&[])[..], &[0, 1, b'x', 0x81, 0x00]].concat())]
        => Connection(PROTOCOL_ERROR);
    section_4_3_a_code_that_is_padded_with_a_byte:
        [headers(END_HEADERS | END_STREAM, 1, &[&get(&[])[..], &[0, 1, b'x', 0x82, 0x07, 0xff]].concat())]
        => Connection(PROTOCOL_ERROR);
    section_4_3_a_code_of_the_end_of_a_string:
        [headers(END_HEADERS | END_STREAM, 1, &[&get(&[])[..], &[0, 1, b'x', 0x84, 255, 255, 255, 255]].concat())]
        => Connection(PROTOCOL_ERROR);
    section_5_1_data_on_an_idle_stream: [frame(DATA, 0, 1, b"x")] => Connection(PROTOCOL_ERROR);
    section_5_1_reset_of_an_idle_stream:
        [frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])] => Connection(PROTOCOL_ERROR);
    section_5_1_window_of_an_idle_stream:
        [frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])] => Connection(PROTOCOL_ERROR);
    section_5_1_continuation_on_an_idle_stream:
        [frame(CONTINUATION, END_HEADERS, 1, &get(&[]))] => Connection(PROTOCOL_ERROR);
    section_5_1_data_after_the_end_of_a_stream:
        [with("x", "y")[0].clone(), frame(DATA, END_STREAM, 1, b"x")] => Connection(PROTOCOL_ERROR);
    section_5_1_headers_after_the_end_of_a_stream:
        [with("x", "y")[0].clone(), with("x", "y")[0].clone()] => Connection(PROTOCOL_ERROR);
    section_5_1_continuation_after_the_end_of_a_stream:
        [with("x", "y")[0].clone(), frame(CONTINUATION, END_HEADERS, 1, &get(&[]))]
        => Connection(PROTOCOL_ERROR);
    section_5_1_headers_after_a_reset:
        [post(), frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]), with("x", "y")[0].clone()]
        => Connection(PROTOCOL_ERROR);
    section_5_1_data_after_a_reset:
        [post(), frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]), frame(DATA, END_STREAM, 1, b"x")]
        => Stream(STREAM_CLOSED);
    section_5_1_continuation_after_a_reset:
        [post(), frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]), frame(CONTINUATION, END_HEADERS, 1, &get(&[]))]
        => Connection(PROTOCOL_ERROR);
    section_5_1_1_an_even_stream:
        [headers(END_HEADERS | END_STREAM, 2, &get(&[]))] => Connection(PROTOCOL_ERROR);
    section_5_1_1_a_smaller_stream:
        [post(), headers(END_HEADERS | END_STREAM, 5, &get(&[])), headers(END_HEADERS | END_STREAM, 3, &get(&[]))]
        => Connection(PROTOCOL_ERROR);
    section_5_3_1_a_stream_that_depends_on_itself:
        [frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 1]), with("x", "y")[0].clone()] => Stream(PROTOCOL_ERROR);
    section_5_3_1_headers_that_depend_on_themselves:
        [headers(END_HEADERS | END_STREAM | PRIORITIZED, 1, &[&[0, 0, 0, 1, 1][..], &get(&[])].concat())]
        => Stream(PROTOCOL_ERROR);
    section_6_1_data_on_the_connection: [frame(DATA, 0, 0, b"x")] => Connection(PROTOCOL_ERROR);
    section_6_1_data_with_more_padding_than_payload:
        [post(), frame(DATA, PADDED, 1, &[9, b'x'])] => Connection(PROTOCOL_ERROR);
    section_6_2_headers_on_the_connection:
        [headers(END_HEADERS | END_STREAM, 0, &get(&[]))] => Connection(PROTOCOL_ERROR);
    section_6_2_headers_with_more_padding_than_payload:
        [headers(END_HEADERS | END_STREAM | PADDED, 1, &[255, 0x82])] => Connection(PROTOCOL_ERROR);
    section_6_2_headers_too_short_for_their_padding:
        [headers(END_HEADERS | END_STREAM | PADDED, 1, &[])] => Connection(PROTOCOL_ERROR);
    section_6_2_headers_too_short_for_their_priority:
        [headers(END_HEADERS | END_STREAM | PRIORITIZED, 1, &[0, 0, 0])] => Connection(PROTOCOL_ERROR);
    section_6_3_priority_on_the_connection:
        [frame(PRIORITY, 0, 0, &[0, 0, 0, 1, 1])] => Connection(PROTOCOL_ERROR);
    section_6_3_priority_of_another_size:
        [frame(PRIORITY, 0, 1, &[0, 0, 0, 0])] => Connection(PROTOCOL_ERROR);
    section_6_4_reset_of_the_connection:
        [frame(RST_STREAM, 0, 0, &[0, 0, 0, 8])] => Connection(PROTOCOL_ERROR);
    section_6_4_reset_of_another_size:
        [post(), frame(RST_STREAM, 0, 1, &[0, 0, 8])] => Connection(PROTOCOL_ERROR);
    section_6_5_settings_acknowledged_with_a_payload:
        [frame(SETTINGS, ACK, 0, &[0; 6])] => Connection(PROTOCOL_ERROR);
    section_6_5_settings_of_a_stream:
        [frame(SETTINGS, 0, 1, &[])] => Connection(PROTOCOL_ERROR);
    section_6_5_settings_of_another_size:
        [frame(SETTINGS, 0, 0, &[0; 5])] => Connection(PROTOCOL_ERROR);
    section_6_5_2_push_neither_on_nor_off: [setting(2, 2)] => Connection(PROTOCOL_ERROR);
    section_6_5_2_a_window_above_the_largest: [setting(4, 1 << 31)] => Connection(PROTOCOL_ERROR);
    section_6_5_2_frames_below_the_least_size: [setting(5, 16_383)] => Connection(PROTOCOL_ERROR);
    section_6_5_2_frames_above_the_largest_size: [setting(5, 1 << 24)] => Connection(PROTOCOL_ERROR);
    section_6_5_2_an_unknown_setting: [setting(99, 1), with("x", "y")[0].clone()] => Served;
    section_6_7_a_ping_that_nobody_sent_is_acknowledged:
        [frame(PING, ACK, 0, &[0; 8]), with("x", "y")[0].clone()] => Served;
    section_6_5_settings_that_nobody_sent_are_acknowledged:
        [frame(SETTINGS, ACK, 0, &[])] => Connection(PROTOCOL_ERROR);
    section_6_6_a_push_by_a_client:
        [frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2][..], &get(&[])].concat())]
        => Connection(PROTOCOL_ERROR);
    section_6_7_ping_of_a_stream: [frame(PING, 0, 1, &[0; 8])] => Connection(PROTOCOL_ERROR);
    section_6_7_ping_of_another_size: [frame(PING, 0, 0, &[0; 6])] => Connection(PROTOCOL_ERROR);
    section_6_8_goaway_of_a_stream:
        [frame(GOAWAY, 0, 1, &[0; 8])] => Connection(PROTOCOL_ERROR);
    section_6_9_a_window_that_grows_by_nothing:
        [frame(WINDOW_UPDATE, 0, 0, &[0; 4])] => Connection(PROTOCOL_ERROR);
    section_6_9_a_window_of_a_stream_that_grows_by_nothing:
        [post(), frame(WINDOW_UPDATE, 0, 1, &[0; 4])] => Connection(PROTOCOL_ERROR);
    section_6_9_a_window_of_another_size:
        [frame(WINDOW_UPDATE, 0, 0, &[0; 3])] => Connection(PROTOCOL_ERROR);
    section_6_9_1_a_window_above_the_largest:
        [frame(WINDOW_UPDATE, 0, 0, &[0x7f, 255, 255, 255]), frame(WINDOW_UPDATE, 0, 0, &[0x7f, 255, 255, 255])]
        => Connection(FLOW_CONTROL_ERROR);
    section_6_9_1_a_window_of_a_stream_above_the_largest:
        [post(), frame(WINDOW_UPDATE, 0, 1, &[0x7f, 255, 255, 255]), frame(WINDOW_UPDATE, 0, 1, &[0x7f, 255, 255, 255])]
        => Stream(FLOW_CONTROL_ERROR);
    section_6_9_1_data_above_the_window: above_the_window() => Connection(FLOW_CONTROL_ERROR);
    section_6_9_2_settings_that_take_a_window_above_the_largest:
        [post(), frame(WINDOW_UPDATE, 0, 1, &[0x7f, 255, 0, 0]), setting(4, 0x7fff_ffff)]
        => Connection(FLOW_CONTROL_ERROR);
    section_6_10_continuation_after_the_end_of_the_headers:
        [post(), frame(CONTINUATION, END_HEADERS, 1, &get(&[]))] => Connection(PROTOCOL_ERROR);
    section_6_10_continuation_of_the_connection:
        [headers(END_STREAM, 1, &get(&[])), frame(CONTINUATION, END_HEADERS, 0, &[])]
        => Connection(PROTOCOL_ERROR);
    section_6_10_continuation_of_another_stream:
        [headers(END_STREAM, 1, &get(&[])), frame(CONTINUATION, END_HEADERS, 3, &[])]
        => Connection(PROTOCOL_ERROR);
    section_6_10_continuation_after_the_last_one:
        [headers(END_STREAM, 1, &get(&[])), frame(CONTINUATION, END_HEADERS, 1, &[]), frame(CONTINUATION, END_HEADERS, 1, &[])]
        => Connection(PROTOCOL_ERROR);
    section_7_unknown_codes_mean_nothing:
        [headers(END_HEADERS, 3, &get(&[])), frame(RST_STREAM, 0, 3, &[0, 0, 0, 99]),
         headers(END_HEADERS | END_STREAM, 5, &get(&[]))] => Served;
    section_8_1_a_second_head_that_does_not_end_the_stream:
        [post(), headers(END_HEADERS, 1, &fields(&[("x", "y")]))] => Stream(PROTOCOL_ERROR);
    section_8_1_data_after_trailers:
        [post(), headers(END_HEADERS | END_STREAM, 1, &fields(&[("x", "y")])), frame(DATA, END_STREAM, 1, b"x")]
        => Connection(PROTOCOL_ERROR);
    section_8_1_1_a_length_above_the_data:
        [headers(END_HEADERS, 1, &get(&[("content-length", "2")])), frame(DATA, END_STREAM, 1, b"x")]
        => Stream(PROTOCOL_ERROR);
    section_8_1_1_a_length_below_the_data:
        [headers(END_HEADERS, 1, &get(&[("content-length", "1")])), frame(DATA, END_STREAM, 1, b"xy")]
        => Stream(PROTOCOL_ERROR);
    section_8_1_1_a_length_below_all_the_data:
        [headers(END_HEADERS, 1, &get(&[("content-length", "1")])), frame(DATA, 0, 1, b"x"), frame(DATA, END_STREAM, 1, b"y")]
        => Stream(PROTOCOL_ERROR);
    section_8_1_1_a_length_above_the_data_before_trailers:
        [headers(END_HEADERS, 1, &get(&[("content-length", "2")])), frame(DATA, 0, 1, b"x"),
         headers(END_HEADERS | END_STREAM, 1, &fields(&[("x", "y")]))]
        => Stream(PROTOCOL_ERROR);
    section_8_1_1_a_length_that_is_none: with("content-length", "one") => Stream(PROTOCOL_ERROR);
    section_8_1_1_lengths_that_differ:
        request(&[GET[0], GET[1], GET[2], GET[3], ("content-length", "0"), ("content-length", "1")])
        => Stream(PROTOCOL_ERROR);
    section_8_1_1_a_length_without_data: with("content-length", "1") => Stream(PROTOCOL_ERROR);
    section_8_2_1_an_upper_case_name: with("X", "y") => Connection(PROTOCOL_ERROR);
    section_8_2_1_a_space_in_a_name: with("x y", "z") => Connection(PROTOCOL_ERROR);
    section_8_2_1_an_empty_name: with("", "z") => Connection(PROTOCOL_ERROR);
    section_8_2_1_a_line_end_in_a_value: with("x", "a\r\nb: c") => Connection(PROTOCOL_ERROR);
    section_8_2_1_a_nul_in_a_value: with("x", "a\0b") => Connection(PROTOCOL_ERROR);
    section_8_2_1_a_return_in_a_value: with("x", "a\rb") => Connection(PROTOCOL_ERROR);
    section_8_2_1_a_line_feed_in_a_value: with("x", "a\nb") => Connection(PROTOCOL_ERROR);
    section_8_2_1_a_delete_in_a_name: with("x\x7f", "z") => Connection(PROTOCOL_ERROR);
    section_8_2_1_a_letter_beyond_ascii_in_a_name: with("é", "z") => Connection(PROTOCOL_ERROR);
    section_8_2_1_a_space_before_a_value: with("x", " y") => Status(400);
    section_8_2_1_a_tab_after_a_value: with("x", "y\t") => Status(400);
    section_8_2_1_a_colon_in_a_name: with("x:y", "z") => Connection(PROTOCOL_ERROR);
    section_8_2_2_connection: with("connection", "close") => Stream(PROTOCOL_ERROR);
    section_8_2_2_keep_alive: with("keep-alive", "timeout=5") => Stream(PROTOCOL_ERROR);
    section_8_2_2_proxy_connection: with("proxy-connection", "close") => Stream(PROTOCOL_ERROR);
    section_8_2_2_transfer_encoding: with("transfer-encoding", "chunked") => Stream(PROTOCOL_ERROR);
    section_8_2_2_upgrade: with("upgrade", "websocket") => Stream(PROTOCOL_ERROR);
    section_8_2_2_te_other_than_trailers: with("te", "gzip") => Stream(PROTOCOL_ERROR);
    section_8_2_2_te_trailers: with("te", "trailers") => Served;
    section_8_3_an_unknown_pseudo_field: with(":unknown", "x") => Connection(PROTOCOL_ERROR);
    section_8_3_a_pseudo_field_of_responses: with(":status", "200") => Stream(PROTOCOL_ERROR);
    section_8_3_a_pseudo_field_after_others:
        request(&[GET[0], GET[1], ("x", "y"), GET[2], GET[3]]) => Stream(PROTOCOL_ERROR);
    section_8_3_1_no_method: but(":method", None) => Stream(PROTOCOL_ERROR);
    section_8_3_1_no_scheme: but(":scheme", None) => Stream(PROTOCOL_ERROR);
    section_8_3_1_no_path: but(":path", None) => Stream(PROTOCOL_ERROR);
    section_8_3_1_an_empty_path: but(":path", Some("")) => Stream(PROTOCOL_ERROR);
    section_8_3_1_two_methods: with(":method", "GET") => Stream(PROTOCOL_ERROR);
    section_8_3_1_two_paths: request(&[GET[0], GET[1], GET[2], GET[2], GET[3]]) => Stream(PROTOCOL_ERROR);
    section_8_3_1_two_schemes: request(&[GET[0], GET[1], GET[1], GET[2], GET[3]]) => Stream(PROTOCOL_ERROR);
    section_8_3_1_two_authorities: request(&[GET[0], GET[1], GET[2], GET[3], GET[3]]) => Stream(PROTOCOL_ERROR);
    section_8_3_1_a_path_without_a_slash: but(":path", Some("a")) => Stream(PROTOCOL_ERROR);
    section_8_3_1_a_path_with_a_space: but(":path", Some("/a b")) => Stream(PROTOCOL_ERROR);
    section_8_3_1_a_path_with_a_line_end: but(":path", Some("/a\r\nx: y")) => Stream(PROTOCOL_ERROR);
    section_8_3_1_a_path_that_is_a_url: but(":path", Some("http://other.example/")) => Stream(PROTOCOL_ERROR);
    section_8_3_1_the_asterisk_for_get: but(":path", Some("*")) => Status(400);
    section_8_3_1_userinfo_in_the_authority: but(":authority", Some("a@web.example")) => Status(400);
    section_8_3_1_an_authority_that_is_none: but(":authority", Some("a b")) => Stream(PROTOCOL_ERROR);
    section_8_3_1_another_host_than_the_authority: with("host", "other.example") => Status(400);
    section_8_3_1_two_hosts:
        request(&[GET[0], GET[1], GET[2], GET[3], ("host", "web.example"), ("host", "web.example")]) => Status(400);
    section_8_3_1_two_hosts_and_no_authority:
        request(&[GET[0], GET[1], GET[2], ("host", "web.example"), ("host", "other.example")]) => Status(400);
    section_8_3_1_an_empty_authority: but(":authority", Some("")) => Stream(PROTOCOL_ERROR);
    section_8_3_1_a_scheme_that_is_none: but(":scheme", Some("ht tp")) => Stream(PROTOCOL_ERROR);
    section_8_3_1_neither_authority_nor_host: but(":authority", None) => Status(400);
    section_8_3_1_a_method_that_is_no_token: but(":method", Some("G T")) => Connection(PROTOCOL_ERROR);
    section_8_3_1_a_lower_case_method: but(":method", Some("get")) => Status(400);
    section_8_3_1_trace: but(":method", Some("TRACE")) => Status(405);
    section_8_5_connect: request(&[(":method", "CONNECT"), (":authority", "web.example:80")]) => Status(405);
    section_8_5_connect_with_a_path: but(":method", Some("CONNECT")) => Stream(PROTOCOL_ERROR);
    section_8_5_connect_without_an_authority: request(&[(":method", "CONNECT")]) => Status(400);
    rfc_8441_4_a_protocol_that_is_not_offered:
        request(&[(":method", "CONNECT"), (":protocol", "websocket"), GET[1], GET[2], GET[3]])
        => Stream(PROTOCOL_ERROR);
    rfc_9110_8_6_two_lengths:
        [headers(END_HEADERS | END_STREAM, 1, &get(&[("content-length", "0"), ("content-length", "0")]))]
        => Status(400);
    rfc_9110_10_1_1_an_unknown_expectation: with("expect", "x") => Status(417);
    // Expected differences: malformed, but read by the library before anybody could refuse it. What is
    // passed on is in order.
    difference_8_1_pseudo_fields_in_trailers_are_dropped_with_them:
        [post(), headers(END_HEADERS | END_STREAM, 1, &fields(&[(":path", "/")]))]
        => Served;
    difference_8_3_1_a_fragment_is_cut_off: but(":path", Some("/a#b")) => Served;
}

#[tokio::test]
async fn section_3_4_a_preface_that_is_none() {
    let router = web(&[]);
    let mut raw = Raw::silent(router.http).await;
    raw.send(&PREFACE[..18]).await;
    raw.send(b"XX\r\n\r\n").await;
    assert!(raw.said().await.is_none());
}

/// Expected difference: the library takes settings that do not come first, or not at all, for the
/// initial ones.
#[tokio::test]
async fn difference_3_4_no_settings_first() {
    let router = web(&[]);
    let mut raw = Raw::silent(router.http).await;
    raw.send(PREFACE).await;
    raw.send(&headers(END_HEADERS | END_STREAM, 1, &get(&[]))).await;
    assert_eq!(raw.said().await, Some(Said::Answer { stream: 1, status: 503 }));
}

#[tokio::test]
async fn section_6_7_a_ping_is_answered_as_it_came() {
    let router = web(&[]);
    let mut raw = Raw::open(router.http).await;
    raw.send(&frame(PING, 0, 0, b"fairlead")).await;
    loop {
        let (kind, flags, _, payload) = raw.frame().await.unwrap();
        if kind == PING {
            assert_eq!((flags, payload.as_slice()), (ACK, &b"fairlead"[..]));
            return;
        }
    }
}
