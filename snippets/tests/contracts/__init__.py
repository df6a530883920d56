"""What the servers of a kind must survive, written once and claimed by each."""

import pytest

# So that a failure says why.
pytest.register_assert_rewrite("contracts.command_line", "contracts.event_loop")
