//! Fields: their syntax, and those that are not for endpoints.

use super::{Other, Passed, Refused, cases};

const GET: &str = "GET / HTTP/1.1\r\nHost: web.example\r\n\r\n";

cases! {
    a_folded_field, "RFC 9112 §5.2":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nX: a\r\n b\r\n\r\n" => Refused(400);
    a_folded_field_first, "RFC 9112 §2.2":
        b"GET / HTTP/1.1\r\n X: a\r\nHost: web.example\r\n\r\n" => Refused(400);
    a_field_without_a_colon, "RFC 9112 §5":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nX\r\n\r\n" => Refused(400);
    a_field_without_a_name, "RFC 9112 §5.1":
        b"GET / HTTP/1.1\r\nHost: web.example\r\n: a\r\n\r\n" => Refused(400);
    a_space_in_a_name, "RFC 9112 §5.1":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nX Y: a\r\n\r\n" => Refused(400);
    a_control_in_a_name, "RFC 9110 §5.6.2":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nX\x01: a\r\n\r\n" => Refused(400);
    a_byte_beyond_ascii_in_a_name, "RFC 9110 §5.6.2":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nX\xff: a\r\n\r\n" => Refused(400);
    a_nul_in_a_value, "RFC 9110 §5.5":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nX: a\0b\r\n\r\n" => Refused(400);
    a_control_in_a_value, "RFC 9110 §5.5":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nX: a\x01b\r\n\r\n" => Refused(400);
    a_delete_in_a_value, "RFC 9110 §5.5":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nX: a\x7fb\r\n\r\n" => Refused(400);
    a_tab_in_a_value, "RFC 9110 §5.5":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nX: a\tb\r\n\r\n"
        => Passed("GET / HTTP/1.1\r\nHost: web.example\r\nX: a\tb\r\n\r\n");
    an_underscore_in_a_name, "RFC 3875 §4.1.18":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nX_Real_IP: 10.0.0.1\r\n\r\n"
        => Passed(GET),
        engine Passed("GET / HTTP/1.1\r\nHost: web.example\r\nX_Real_IP: 10.0.0.1\r\n\r\n");
    an_underscore_in_a_name_that_the_router_sets, "RFC 3875 §4.1.18":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nX_Forwarded_For: 10.0.0.1\r\n\r\n"
        => Passed(GET),
        engine Passed("GET / HTTP/1.1\r\nHost: web.example\r\nX_Forwarded_For: 10.0.0.1\r\n\r\n");
    a_field_that_becomes_http_proxy, "RFC 3875 §4.1.18":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nProxy: evil.example\r\n\r\n"
        => Passed(GET),
        engine Passed("GET / HTTP/1.1\r\nHost: web.example\r\nProxy: evil.example\r\n\r\n");
    claims_of_a_peer_that_is_not_trusted, "RFC 7239 §8.1":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nForwarded: for=10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\nX-Forwarded-Host: evil.example\r\nX-Original-URL: /admin\r\n\r\n"
        => Passed(GET),
        engine Passed("GET / HTTP/1.1\r\nHost: web.example\r\nForwarded: for=10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\nX-Original-URL: /admin\r\n\r\n");
    a_connection_that_nominates_a_field, "RFC 9110 §7.6.1":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n" => Passed(GET);
    a_connection_that_nominates_host, "RFC 9110 §7.6.1":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nConnection: Host\r\n\r\n" => Refused(400);
    a_connection_that_nominates_a_field_of_the_routers, "RFC 9110 §7.6.1":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nConnection: X-Forwarded-For\r\n\r\n" => Refused(400);
    a_connection_that_nominates_a_length, "RFC 9110 §7.6.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\nhello"
        => Passed("POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    a_connection_that_is_no_token, "RFC 9110 §7.6.1":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nConnection: \"X-Forwarded-For\"\r\n\r\n" => Refused(400);
    fields_of_one_connection, "RFC 9110 §7.6.1":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nTrailer: X\r\nProxy-Authorization: Basic eA==\r\n\r\n"
        => Passed(GET);
    an_upgrade_to_something_else, "RFC 9110 §7.8":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\nGET /n HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Other(&[200, 200], &[GET, "GET /n HTTP/1.1\r\nHost: web.example\r\n\r\n"]);
    an_upgrade_to_http_2, "RFC 9113 §3.1":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        => Passed(GET);
    an_upgrade_that_connection_does_not_name, "RFC 9110 §7.8":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nUpgrade: websocket\r\n\r\n" => Passed(GET),
        engine Passed("GET / HTTP/1.1\r\nHost: web.example\r\nConnection: Upgrade\r\nupgrade: websocket\r\n\r\n");
    an_upgrade_of_a_post, "RFC 6455 §4.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n"
        => Passed("POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 0\r\n\r\n"),
        engine Passed("POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 0\r\nConnection: Upgrade\r\nupgrade: websocket\r\n\r\n");
    an_upgrade_in_http_1_0, "RFC 9110 §7.8":
        b"GET / HTTP/1.0\r\nHost: web.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        => Passed(GET);
    a_websocket_with_a_body, "RFC 6455 §4.1":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello"
        => Refused(400),
        engine Passed("GET / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 5\r\nConnection: Upgrade\r\nupgrade: websocket\r\n\r\nhello");
    an_unknown_expectation, "RFC 9110 §10.1.1":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nExpect: y 100-continue\r\n\r\n" => Refused(417),
        engine Passed("GET / HTTP/1.1\r\nHost: web.example\r\nExpect: y 100-continue\r\n\r\n");
}
