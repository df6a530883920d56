"""What the servers of a kind must survive, written once and claimed by each."""

import pytest

pytest.register_assert_rewrite("contracts.event_loop")  # so that a failure says why
