"""Runs Microsoft's Cosmos DB SDK for Python, as published, against the emulator: one scenario after the other.

Never imports anything of this repository: endpoint and key are all it is given.
"""

import sys
import traceback
import uuid

from azure.core import MatchConditions
from azure.cosmos import CosmosClient, PartitionKey, exceptions

ENDPOINT, KEY = sys.argv[1], sys.argv[2]
CITIES = ["Praha", "Brno", "Plzeň", "Ostrava"]
client = CosmosClient(ENDPOINT, KEY)
database = client.create_database(f"python-{uuid.uuid4()}")
scenarios = []


def scenario(run):
    scenarios.append(run)
    return run


def refused(status, do):
    """What went wrong, which must be with this status."""
    try:
        do()
    except exceptions.CosmosHttpResponseError as error:
        assert error.status_code == status, f"{error.status_code} instead of {status}: {error.message}"
        return error
    raise AssertionError(f"no {status}")


def new(paths="/pk", **options):
    key = PartitionKey(path=paths, kind="Hash" if isinstance(paths, str) else "MultiHash")
    return database.create_container(f"c-{uuid.uuid4()}", key, **options)


def item(n, pk=None):
    return {
        "id": f"d{n}",
        "pk": pk or f"p{n % 5}",
        "n": n,
        "name": ("Even" if n % 2 == 0 else "odd") + str(n),
        "city": CITIES[n % 4],
        "tags": [f"t{n % 3}", "all"],
        "lines": [{"sku": f"a{n % 2}", "qty": n}, {"sku": "b", "qty": 1}],
        "flag": [True, False, None][n % 3],
    }


filled_container = None


def filled():
    global filled_container
    if filled_container is None:
        filled_container = new()
        for n in range(40):
            filled_container.create_item(item(n))
    return filled_container


def query(text, parameters=None, pk=None, **options):
    if pk is None:
        options["enable_cross_partition_query"] = True
    else:
        options["partition_key"] = pk
    return list(filled().query_items(text, parameters=parameters, **options))


@scenario
def databases_are_made_listed_read_and_deleted():
    name = f"python-other-{uuid.uuid4()}"
    client.create_database(name)
    refused(409, lambda: client.create_database(name))
    assert name in [each["id"] for each in client.list_databases()]
    assert [each["id"] for each in client.query_databases("SELECT * FROM c WHERE c.id = @id", [{"name": "@id", "value": name}])] == [name]
    client.delete_database(name)
    refused(404, lambda: client.get_database_client(name).read())


@scenario
def containers_keep_their_properties():
    policy = {"indexingMode": "consistent", "includedPaths": [{"path": "/*"}], "excludedPaths": [{"path": "/big/*"}],
              "compositeIndexes": [[{"path": "/city", "order": "ascending"}, {"path": "/n", "order": "descending"}]]}
    container = new("/a/b", indexing_policy=policy, default_ttl=-1)
    read = container.read()
    assert read["partitionKey"]["paths"] == ["/a/b"] and read["defaultTtl"] == -1
    assert read["indexingPolicy"]["compositeIndexes"][0][1]["path"] == "/n"
    assert container.id in [each["id"] for each in database.list_containers()]
    policy["excludedPaths"] = [{"path": "/other/*"}]
    database.replace_container(container.id, PartitionKey(path="/a/b"), indexing_policy=policy)
    assert container.read()["indexingPolicy"]["excludedPaths"][0]["path"] == "/other/*"
    refused(409, lambda: database.create_container(container.id, PartitionKey(path="/a/b")))
    database.delete_container(container.id)
    refused(404, container.read)


@scenario
def an_item_is_created_read_replaced_upserted_and_deleted():
    container = new()
    created = container.create_item(item(1))
    assert all(created[name] for name in ["_rid", "_self", "_etag", "_ts"])
    refused(409, lambda: container.create_item(item(1)))
    container.create_item(item(1, "other"))
    assert container.read_item("d1", "p1")["name"] == "odd1"
    assert container.replace_item("d1", {**item(1), "n": 100})["n"] == 100
    assert container.upsert_item({**item(1), "n": 101})["n"] == 101
    assert container.upsert_item(item(2))["n"] == 2
    container.delete_item("d1", "p1")
    refused(404, lambda: container.read_item("d1", "p1"))
    refused(404, lambda: container.delete_item("d1", "p1"))
    refused(404, lambda: container.replace_item("d1", item(1)))


@scenario
def a_stale_etag_is_refused_and_a_current_one_saves_the_answer():
    container = new()
    old = container.create_item(item(1))["_etag"]
    under = {"etag": old, "match_condition": MatchConditions.IfNotModified}
    current = container.replace_item("d1", {**item(1), "n": 2}, **under)["_etag"]
    refused(412, lambda: container.replace_item("d1", item(1), **under))
    refused(412, lambda: container.upsert_item(item(1), **under))
    refused(412, lambda: container.delete_item("d1", "p1", **under))
    assert container.read_item("d1", "p1")["_etag"] == current


@scenario
def ids_may_have_signs_in_them():
    container = new()
    for name in ["a b", "ž😀", "a+b", "a&b=c", "a.b,c;d", "a:b@c", "(a)[b]{c}", "~!$*", "x" * 255]:
        container.create_item({"id": name, "pk": "p"})
        assert container.read_item(name, "p")["id"] == name
        container.replace_item(name, {"id": name, "pk": "p", "x": 1})
        container.delete_item(name, "p")


@scenario
def partition_keys_of_every_type():
    container = new()
    for key in ["ž😀", "a/b", '"quoted"', "", 5, 1.5, True, None]:
        container.create_item({"id": "1", "pk": key})
        assert container.read_item("1", key)["pk"] == key
    nested = new("/a/b")
    nested.create_item({"id": "1", "a": {"b": "x"}})
    assert nested.read_item("1", "x")["a"] == {"b": "x"}


@scenario
def hierarchical_keys_whole_and_by_prefix():
    container = new(["/tenant", "/user"])
    for n in range(6):
        container.create_item({"id": f"i{n}", "tenant": f"t{n % 2}", "user": f"u{n % 3}"})
    assert container.read_item("i1", ["t1", "u1"])["user"] == "u1"
    found = list(container.query_items("SELECT * FROM c", partition_key=["t1"]))
    assert sorted(each["id"] for each in found) == ["i1", "i3", "i5"]
    assert [each["id"] for each in container.query_items("SELECT * FROM c", partition_key=["t0", "u2"])] == ["i2"]


@scenario
def a_patch_changes_what_it_names():
    container = new()
    container.create_item(item(1))
    container.patch_item("d1", "p1", [
        {"op": "add", "path": "/added", "value": "x"}, {"op": "set", "path": "/n", "value": 50},
        {"op": "replace", "path": "/name", "value": "new"}, {"op": "remove", "path": "/city"},
        {"op": "incr", "path": "/n", "value": 5}, {"op": "add", "path": "/tags/0", "value": "first"},
        {"op": "add", "path": "/tags/-", "value": "last"}, {"op": "move", "from": "/flag", "path": "/moved"}])
    read = container.read_item("d1", "p1")
    assert (read["added"], read["n"], read["name"]) == ("x", 55, "new") and "city" not in read
    assert read["tags"] == ["first", "t1", "all", "last"] and read["moved"] is False
    set_x = [{"op": "set", "path": "/x", "value": 1}]
    refused(404, lambda: container.patch_item("nope", "p1", set_x))
    refused(400, lambda: container.patch_item("d1", "p1", [{"op": "remove", "path": "/nope"}]))
    refused(400, lambda: container.patch_item("d1", "p1", [{"op": "incr", "path": "/name", "value": 1}]))
    refused(400, lambda: container.patch_item("d1", "p1", set_x * 11))


@scenario
def a_batch_is_done_whole_or_not_at_all():
    container = new()
    first = container.create_item(item(1, "p"))
    done = container.execute_item_batch([
        ("create", (item(2, "p"),)), ("upsert", (item(3, "p"),)), ("replace", ("d1", {**item(1, "p"), "n": 9}), {"if_match_etag": first["_etag"]}),
        ("read", ("d1",)), ("delete", ("d3",))], "p")
    assert [each["statusCode"] for each in done] == [201, 201, 200, 200, 204]
    for operation, codes in [
        (("create", (item(1, "p"),)), [424, 409, 424]),
        (("replace", ("d1", item(1, "p")), {"if_match_etag": "stale"}), [424, 412, 424]),
    ]:
        try:
            container.execute_item_batch([("create", (item(7, "p"),)), operation, ("create", (item(8, "p"),))], "p")
            raise AssertionError("the batch was done")
        except exceptions.CosmosBatchOperationError as error:
            assert [each["statusCode"] for each in error.operation_responses] == codes
    refused(404, lambda: container.read_item("d7", "p"))


@scenario
def unique_keys_hold_within_a_partition():
    container = new(unique_key_policy={"uniqueKeys": [{"paths": ["/email"]}]})
    container.create_item({"id": "1", "pk": "p", "email": "a"})
    refused(409, lambda: container.create_item({"id": "2", "pk": "p", "email": "a"}))
    container.create_item({"id": "3", "pk": "q", "email": "a"})


@scenario
def what_is_too_large_is_refused():
    container = new()
    container.create_item({"id": "1", "pk": "p", "s": "x" * 1_900_000})
    assert len(container.read_item("1", "p")["s"]) == 1_900_000
    refused(413, lambda: container.create_item({"id": "2", "pk": "p", "s": "x" * 2_200_000}))


@scenario
def a_wrong_key_is_refused():
    refused(401, lambda: CosmosClient(ENDPOINT, "d3Jvbmc="))


@scenario
def a_query_filters():
    numbers = lambda condition, parameters=None: sorted(query(f"SELECT VALUE c.n FROM c WHERE {condition}", parameters))
    assert numbers("c.n = 5 AND c.city = 'Brno'") == [5]
    assert numbers("NOT (c.n > 1) OR c.n = 39") == [0, 1, 39]
    assert numbers("c.n IN (1, 2, 99)") == [1, 2]
    assert numbers("c.n BETWEEN 5 AND 8") == [5, 6, 7, 8]
    assert numbers("c.name LIKE 'Even1%'") == [10, 12, 14, 16, 18]
    assert numbers("STARTSWITH(c.name, 'EVEN1', true) AND ENDSWITH(c.name, '8')") == [18]
    assert len(numbers("ARRAY_CONTAINS(c.tags, 't1')")) == 13
    assert len(numbers("IS_NULL(c.flag) AND IS_DEFINED(c.n) AND NOT IS_DEFINED(c.nothing)")) == 13
    assert numbers("c['n'] = 3 AND c.lines[0].sku = 'a1'") == [3]
    assert numbers("c.n % 10 = 3 AND c.n < 10 AND c.n * 2 + 1 = 7") == [3]
    assert numbers("c.city = @city AND c.n > @n AND ARRAY_CONTAINS(@ids, c.id)",
                   [{"name": "@city", "value": "Brno"}, {"name": "@n", "value": 1}, {"name": "@ids", "value": ["d5", "d6"]}]) == [5]


@scenario
def a_query_projects():
    assert query("SELECT c.id, c.n AS number FROM c WHERE c.n = 5") == [{"id": "d5", "number": 5}]
    assert query("SELECT VALUE (c.n > 3 ? 'big' : 'small') FROM c WHERE (c.nothing ?? 'none') = 'none' AND c.n = 5") == ["big"]
    assert query("SELECT VALUE LOWER(CONCAT(c.city, '-', SUBSTRING(c.name, 0, 4))) FROM c WHERE c.n = 2") == ["plzeň-even"]
    assert query("SELECT VALUE {'a': c.n, 'b': [c.city]} FROM c WHERE c.n = 5") == [{"a": 5, "b": ["Brno"]}]


@scenario
def a_query_sorts_cuts_and_pages():
    everything = list(range(40))
    assert query("SELECT VALUE c.n FROM c ORDER BY c.n") == everything
    assert query("SELECT VALUE c.n FROM c ORDER BY c.n DESC", pk="p1") == [36, 31, 26, 21, 16, 11, 6, 1]
    assert query("SELECT TOP 3 VALUE c.n FROM c ORDER BY c.n") == [0, 1, 2]
    assert query("SELECT VALUE c.n FROM c ORDER BY c.n OFFSET 5 LIMIT 3") == [5, 6, 7]
    assert query("SELECT VALUE c.n FROM c ORDER BY c.n", max_item_count=7) == everything
    assert sorted(query("SELECT VALUE c.n FROM c", max_item_count=3)) == everything
    found, token = [], None
    while True:
        pages = filled().query_items("SELECT VALUE c.n FROM c", partition_key="p1", max_item_count=3).by_page(token)
        found += list(next(pages))
        token = pages.continuation_token
        if not token:
            break
    assert sorted(found) == [1, 6, 11, 16, 21, 26, 31, 36]


@scenario
def a_query_sorts_by_two_properties_under_a_composite_index():
    container = new(indexing_policy={"indexingMode": "consistent", "includedPaths": [{"path": "/*"}], "compositeIndexes": [[
        {"path": "/city", "order": "ascending"}, {"path": "/n", "order": "descending"}]]})
    for n in range(8):
        container.create_item(item(n, "p"))
    found = container.query_items("SELECT VALUE c.n FROM c ORDER BY c.city ASC, c.n DESC", partition_key="p")
    assert list(found) == [5, 1, 7, 3, 6, 2, 4, 0]


@scenario
def a_query_aggregates():
    assert query("SELECT VALUE COUNT(1) FROM c") == [40]
    assert query("SELECT VALUE SUM(c.n) FROM c") == [780]
    assert query("SELECT VALUE AVG(c.n) FROM c", pk="p1") == [18.5]
    assert query("SELECT MIN(c.n) AS lo, MAX(c.n) AS hi FROM c", pk="p1") == [{"lo": 1, "hi": 36}]
    assert sorted(query("SELECT DISTINCT VALUE c.city FROM c")) == sorted(CITIES)
    groups = query("SELECT c.city, COUNT(1) AS n FROM c GROUP BY c.city", pk="p1")
    assert {each["city"]: each["n"] for each in groups} == {city: 2 for city in CITIES}


@scenario
def a_query_joins_within_an_item():
    assert len(query("SELECT c.id, t AS tag FROM c JOIN t IN c.tags WHERE t = 't1'")) == 13
    assert sorted(query("SELECT VALUE l.qty FROM c JOIN l IN c.lines WHERE l.sku = 'a1' AND c.n < 6")) == [1, 3, 5]
    assert len(query("SELECT VALUE l.sku FROM l IN c.lines")) == 80


@scenario
def a_query_that_cannot_be_read_is_refused():
    refused(400, lambda: query("SELEC * FROM c"))
    refused(400, lambda: query("SELECT VALUE NO_SUCH(c.n) FROM c"))
    refused(400, lambda: query("SELECT * FROM c WHERE EXISTS(SELECT VALUE l FROM l IN c.lines)"))


@scenario
def the_change_feed_tells_each_change_once():
    container = new()
    for n in range(10):
        container.create_item(item(n))
    container.upsert_item(item(3))
    changes = container.query_items_change_feed(start_time="Beginning")
    assert sorted(each["n"] for each in changes) == list(range(10))
    token = container.client_connection.last_response_headers["etag"]
    container.create_item(item(50))
    assert [each["id"] for each in container.query_items_change_feed(continuation=token)] == ["d50"]


@scenario
def many_items_are_read_at_once():
    found = filled().read_items([(f"d{n}", f"p{n % 5}") for n in range(20)] + [("nope", "p1")])
    assert sorted(each["n"] for each in found) == list(range(20))
    assert len(list(filled().read_all_items())) == 40
    assert len(list(filled().read_feed_ranges())) >= 1


@scenario
def an_answer_says_its_session_and_its_charge():
    container = new()
    container.create_item(item(1))
    headers = container.client_connection.last_response_headers
    assert headers["x-ms-session-token"] and float(headers["x-ms-request-charge"]) > 0
    assert container.read_item("d1", "p1", session_token=headers["x-ms-session-token"])["n"] == 1


def main():
    failed = 0
    for run in scenarios:
        try:
            run()
            print(f"ok python {run.__name__}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED python {run.__name__}\n{traceback.format_exc()}", flush=True)
    client.delete_database(database.id)
    print(f"python: {len(scenarios) - failed} of {len(scenarios)} scenarios")
    sys.exit(1 if failed else 0)


main()
