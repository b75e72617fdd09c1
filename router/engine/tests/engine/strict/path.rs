//! Paths: what is looked up is what endpoints see.

use super::{Passed, Refused, cases};

cases! {
    a_dot_segment, "RFC 3986 §5.2.4":
        b"GET /a/./b HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Passed("GET /a/b HTTP/1.1\r\nHost: web.example\r\n\r\n"),
        engine Passed("GET /a/./b HTTP/1.1\r\nHost: web.example\r\n\r\n");
    a_way_up, "RFC 3986 §5.2.4":
        b"GET /a/../b/%2e%2e/c?d=/../e HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Passed("GET /c?d=/../e HTTP/1.1\r\nHost: web.example\r\n\r\n"),
        engine Passed("GET /a/../b/%2e%2e/c?d=/../e HTTP/1.1\r\nHost: web.example\r\n\r\n");
    a_way_above_the_root, "RFC 3986 §5.2.4":
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Passed("GET /etc/passwd HTTP/1.1\r\nHost: web.example\r\n\r\n"),
        engine Passed("GET /../../etc/passwd HTTP/1.1\r\nHost: web.example\r\n\r\n");
    a_way_up_in_absolute_form, "RFC 3986 §5.2.4":
        b"GET http://web.example/a/../b HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Passed("GET /b HTTP/1.1\r\nHost: web.example\r\n\r\n"),
        engine Passed("GET /a/../b HTTP/1.1\r\nHost: web.example\r\n\r\n");
    a_backslash, "RFC 3986 §3.3":
        b"GET /a\\..\\b HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Refused(400),
        engine Passed("GET /a\\..\\b HTTP/1.1\r\nHost: web.example\r\n\r\n");
    a_percent_sign_alone, "RFC 3986 §2.1":
        b"GET /100% HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Refused(400),
        engine Passed("GET /100% HTTP/1.1\r\nHost: web.example\r\n\r\n");
    an_encoded_nul, "RFC 3986 §7.3":
        b"GET /a%00.png HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Refused(400),
        engine Passed("GET /a%00.png HTTP/1.1\r\nHost: web.example\r\n\r\n");
    an_encoded_line_end, "RFC 3986 §7.3":
        b"GET /a%0d%0aX:1 HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Refused(400),
        engine Passed("GET /a%0d%0aX:1 HTTP/1.1\r\nHost: web.example\r\n\r\n");
    a_control_in_a_path, "RFC 9112 §3.2":
        b"GET /a\x01b HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Refused(400),
        engine Passed("GET /a%01b HTTP/1.1\r\nHost: web.example\r\n\r\n");
    a_control_in_a_query, "RFC 9112 §3.2":
        b"GET /?a=\x01b HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Passed("GET /?a=%01b HTTP/1.1\r\nHost: web.example\r\n\r\n");
    a_space_in_a_target, "RFC 9112 §3.2":
        b"GET /a b HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Passed("GET /a%20b HTTP/1.1\r\nHost: web.example\r\n\r\n");
    a_byte_that_is_no_utf_8, "RFC 9112 §3.2":
        b"GET /a\xff HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Refused(400);
    letters_beyond_ascii, "RFC 3987 §3.1":
        "GET /\u{e9} HTTP/1.1\r\nHost: web.example\r\n\r\n".as_bytes()
        => Passed("GET /\u{e9} HTTP/1.1\r\nHost: web.example\r\n\r\n");
    an_encoded_slash, "RFC 3986 §2.2":
        b"GET /@scope%2fname HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Passed("GET /@scope%2fname HTTP/1.1\r\nHost: web.example\r\n\r\n");
    two_slashes, "RFC 3986 §3.3":
        b"GET //a//b HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Passed("GET //a//b HTTP/1.1\r\nHost: web.example\r\n\r\n");
}
