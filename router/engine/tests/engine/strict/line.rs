//! The request line, and how lines end.

use super::{Other, Passed, Refused, cases};

const GET: &str = "GET / HTTP/1.1\r\nHost: web.example\r\n\r\n";

cases! {
    a_request_as_it_should_be, "RFC 9112 §3":
        b"GET / HTTP/1.1\r\nHost: web.example\r\n\r\n" => Passed(GET);
    empty_lines_before_the_request, "RFC 9112 §2.2":
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: web.example\r\n\r\n" => Passed(GET);
    a_bare_lf_after_the_request_line, "RFC 9112 §2.2":
        b"GET / HTTP/1.1\nHost: web.example\r\n\r\n" => Refused(400), engine Passed(GET);
    a_bare_lf_after_a_field, "RFC 9112 §2.2":
        b"GET / HTTP/1.1\r\nHost: web.example\n\r\n" => Refused(400), engine Passed(GET);
    a_bare_lf_at_the_end_of_the_head, "RFC 9112 §2.2":
        b"GET / HTTP/1.1\r\nHost: web.example\r\n\n" => Refused(400), engine Passed(GET);
    bare_lfs_only, "RFC 9112 §2.2":
        b"GET / HTTP/1.1\nHost: web.example\n\n" => Refused(400), engine Passed(GET);
    a_bare_lf_hides_a_second_request, "RFC 9112 §2.2":
        b"GET / HTTP/1.1\r\nHost: web.example\r\n\nGET /second HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Refused(400),
        engine Other(&[200, 200], &[GET, "GET /second HTTP/1.1\r\nHost: web.example\r\n\r\n"]);
    a_bare_cr_in_a_field, "RFC 9112 §2.2":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nX: a\rb\r\n\r\n" => Refused(400);
    a_bare_cr_in_the_request_line, "RFC 9112 §2.2":
        b"GET / HTTP/1.1\rHost: web.example\r\n\r\n" => Refused(400);
    no_version, "RFC 9112 §3": b"GET /\r\nHost: web.example\r\n\r\n" => Refused(400);
    version_0_9, "RFC 9112 §2.3": b"GET / HTTP/0.9\r\nHost: web.example\r\n\r\n" => Refused(400);
    version_1_2, "RFC 9112 §2.3": b"GET / HTTP/1.2\r\nHost: web.example\r\n\r\n" => Refused(400);
    version_2_in_the_syntax_of_1, "RFC 9112 §2.3":
        b"GET / HTTP/2.0\r\nHost: web.example\r\n\r\n" => Refused(400);
    a_lower_case_version, "RFC 9112 §2.3":
        b"GET / http/1.1\r\nHost: web.example\r\n\r\n" => Refused(400);
    a_space_after_the_version, "RFC 9112 §3":
        b"GET / HTTP/1.1 \r\nHost: web.example\r\n\r\n" => Refused(400);
    two_versions, "RFC 9112 §3":
        b"GET / HTTP/1.1 HTTP/1.1\r\nHost: web.example\r\n\r\n" => Refused(400);
    a_tab_between_method_and_target, "RFC 9112 §3":
        b"GET\t/ HTTP/1.1\r\nHost: web.example\r\n\r\n" => Refused(400);
    two_spaces_before_the_target, "RFC 9112 §3":
        b"GET  / HTTP/1.1\r\nHost: web.example\r\n\r\n" => Refused(400),
        engine Passed(GET);
    a_lower_case_method, "RFC 9110 §9.1":
        b"get / HTTP/1.1\r\nHost: web.example\r\n\r\n" => Refused(400),
        engine Passed("get / HTTP/1.1\r\nHost: web.example\r\n\r\n");
    a_method_with_a_dot, "RFC 9110 §9.1":
        b"GE.T / HTTP/1.1\r\nHost: web.example\r\n\r\n" => Refused(400),
        engine Passed("GE.T / HTTP/1.1\r\nHost: web.example\r\n\r\n");
    a_method_that_is_no_token, "RFC 9110 §9.1":
        b"G(T / HTTP/1.1\r\nHost: web.example\r\n\r\n" => Refused(400);
    an_unknown_method, "RFC 9110 §9.1":
        b"PURGE / HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Passed("PURGE / HTTP/1.1\r\nHost: web.example\r\n\r\n");
    trace, "RFC 9110 §9.3.8":
        b"TRACE / HTTP/1.1\r\nHost: web.example\r\n\r\n" => Refused(405),
        engine Passed("TRACE / HTTP/1.1\r\nHost: web.example\r\n\r\n");
    connect, "RFC 9110 §9.3.6":
        b"CONNECT web.example:80 HTTP/1.1\r\nHost: web.example:80\r\n\r\n" => Refused(405);
    a_fragment, "RFC 9112 §3.2":
        b"GET /a#b HTTP/1.1\r\nHost: web.example\r\n\r\n" => Refused(400),
        engine Passed("GET /a HTTP/1.1\r\nHost: web.example\r\n\r\n");
    the_asterisk_for_options, "RFC 9112 §3.2.4":
        b"OPTIONS * HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Passed("OPTIONS * HTTP/1.1\r\nHost: web.example\r\n\r\n");
    the_asterisk_for_get, "RFC 9112 §3.2.4":
        b"GET * HTTP/1.1\r\nHost: web.example\r\n\r\n" => Refused(400),
        engine Passed("GET * HTTP/1.1\r\nHost: web.example\r\n\r\n");
    options_for_the_server_in_absolute_form, "RFC 9112 §3.2.4":
        b"OPTIONS http://web.example HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Passed("OPTIONS * HTTP/1.1\r\nHost: web.example\r\n\r\n");
    the_absolute_form, "RFC 9112 §3.2.2":
        b"GET http://web.example/a?b HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Passed("GET /a?b HTTP/1.1\r\nHost: web.example\r\n\r\n");
    the_authority_form_for_get, "RFC 9112 §3.2.3":
        b"GET web.example:80 HTTP/1.1\r\nHost: web.example:80\r\n\r\n" => Refused(400),
        engine Passed("GET / HTTP/1.1\r\nHost: web.example:80\r\n\r\n");
    another_scheme, "RFC 9112 §3.2.2":
        b"GET ftp://web.example/ HTTP/1.1\r\nHost: web.example\r\n\r\n" => Refused(400),
        engine Passed(GET);
    a_target_without_a_slash, "RFC 9112 §3.2":
        b"GET a HTTP/1.1\r\nHost: web.example\r\n\r\n" => Refused(400),
        engine Passed(GET);
}
