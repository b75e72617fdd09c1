//! Which host is meant.

use super::{Passed, Refused, cases};

cases! {
    no_host, "RFC 9112 §3.2": b"GET / HTTP/1.1\r\n\r\n" => Refused(400);
    an_empty_host, "RFC 9112 §3.2": b"GET / HTTP/1.1\r\nHost:\r\n\r\n" => Refused(400);
    a_host_with_a_space, "RFC 9112 §3.2": b"GET / HTTP/1.1\r\nHost: a b/c\r\n\r\n" => Refused(400);
    a_host_with_a_path, "RFC 9112 §3.2":
        b"GET / HTTP/1.1\r\nHost: web.example/x\r\n\r\n" => Refused(400);
    a_list_of_hosts, "RFC 9112 §3.2":
        b"GET / HTTP/1.1\r\nHost: web.example, other.example\r\n\r\n" => Refused(400);
    two_hosts, "RFC 9112 §3.2":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nHost: other.example\r\n\r\n" => Refused(400);
    the_same_host_twice, "RFC 9112 §3.2":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nHost: web.example\r\n\r\n" => Refused(400);
    a_host_with_userinfo, "RFC 9110 §4.2.4":
        b"GET / HTTP/1.1\r\nHost: user@web.example\r\n\r\n" => Refused(400);
    a_host_with_two_ports, "RFC 3986 §3.2.3":
        b"GET / HTTP/1.1\r\nHost: web.example:80:81\r\n\r\n" => Refused(400);
    a_host_with_a_port_that_is_none, "RFC 3986 §3.2.3":
        b"GET / HTTP/1.1\r\nHost: web.example:8x\r\n\r\n" => Refused(400);
    a_host_with_an_encoded_character, "RFC 9110 §4.2":
        b"GET / HTTP/1.1\r\nHost: web%2eexample\r\n\r\n" => Refused(400);
    a_host_with_a_nul, "RFC 9110 §5.5":
        b"GET / HTTP/1.1\r\nHost: web.example\0.evil\r\n\r\n" => Refused(400);
    a_target_for_another_host, "RFC 9112 §3.2.2":
        b"GET http://other.example/ HTTP/1.1\r\nHost: web.example\r\n\r\n" => Refused(400);
    a_target_with_userinfo, "RFC 9110 §4.2.4":
        b"GET http://user@web.example/ HTTP/1.1\r\nHost: web.example\r\n\r\n" => Refused(400);
    a_target_with_an_empty_host, "RFC 9110 §4.2.1":
        b"GET http:///a HTTP/1.1\r\nHost:\r\n\r\n" => Refused(400);
    a_host_in_another_spelling, "RFC 9110 §4.2.3":
        b"GET / HTTP/1.1\r\nHost: WEB.Example.:80\r\n\r\n"
        => Passed("GET / HTTP/1.1\r\nHost: WEB.Example.:80\r\n\r\n");
    no_host_in_http_1_0, "RFC 9112 §3.2": b"GET / HTTP/1.0\r\n\r\n" => Refused(404);
}
