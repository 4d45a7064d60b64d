"""The ID of another owner's thing costs the same queries as one that does not exist.

So neither response nor time tells that it exists: the queries differ in their values only, and find
no row either way.
"""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from benchmarks.statements import record_statements
from tests.security.conftest import Keys
from tests.security.operation_table import ROWS, Build, Things, make_missing_things
from tests.security.test_key_matrix import OPERATIONS, Operation, request_operation

NAMING_OPERATIONS = [operation for operation in OPERATIONS if not ROWS[operation.name].is_shared]


def record_sql(
    http: TestClient, keys: Keys, operation: Operation, build: Build, things: Things
) -> list[str]:
    """Return the SQL of a request of another owner, but for the reading of all keys."""
    engine: Engine = http.app.state.services.database.engine  # type: ignore[attr-defined]
    with record_statements(engine) as statements:
        request_operation(http, operation, build, things, keys.other)
    return [statement.sql for statement in statements if "api_keys" not in statement.sql]


@pytest.mark.parametrize("operation", NAMING_OPERATIONS, ids=lambda operation: operation.name)
def test_a_foreign_id_and_a_missing_one_cost_the_same_queries(
    http: TestClient, keys: Keys, things: Things, operation: Operation
) -> None:
    for build in ROWS[operation.name].calls:
        foreign = record_sql(http, keys, operation, build, things)
        missing = record_sql(http, keys, operation, build, make_missing_things())
        assert foreign == missing
    if operation.name not in ("list_recipes", "retrieve_recipe"):
        assert foreign
