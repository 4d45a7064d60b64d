"""Which addresses belong to one client."""

from api.client_networks import get_client_network


def test_an_address_is_one_client() -> None:
    assert get_client_network("10.1.2.3") == get_client_network("::ffff:10.1.2.3") == "10.1.2.3"
    assert get_client_network("2001:db8::1") == get_client_network("2001:db8::ff:2")
    assert get_client_network("2001:db8::1") != get_client_network("2001:db8:0:1::1")
    assert get_client_network("fe80::1%eth0") == get_client_network("fe80::2")
    assert get_client_network("testclient") == "testclient"
