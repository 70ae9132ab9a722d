// Runs Microsoft's Cosmos DB SDK for JavaScript, as published, against the emulator: one scenario after the other.
// Never imports anything of this repository: endpoint and key are all it is given.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { ChangeFeedStartFrom, CosmosClient, ErrorResponse } from "@azure/cosmos";

const [endpoint, key] = process.argv.slice(2);
const CITIES = ["Praha", "Brno", "Plzeň", "Ostrava"];
const client = new CosmosClient({ endpoint, key });
const { database } = await client.databases.create({ id: `js-${randomUUID()}` });

/** What went wrong, which must be with this status. */
async function refused(status, work) {
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof ErrorResponse || error.code !== undefined, error);
    assert.equal(error.code, status, `${error.code} instead of ${status}: ${error.message}`);
    return error;
  }
  assert.fail(`no ${status}`);
}

async function make(paths = "/pk", options = {}) {
  const list = Array.isArray(paths) ? paths : [paths];
  const partitionKey = { paths: list, version: 2, kind: list.length > 1 ? "MultiHash" : "Hash" };
  return (await database.containers.create({ id: `c-${randomUUID()}`, partitionKey, ...options })).container;
}

const item = (n, pk = `p${n % 5}`) => ({
  id: `d${n}`, pk, n, name: (n % 2 === 0 ? "Even" : "odd") + n, city: CITIES[n % 4], tags: [`t${n % 3}`, "all"],
  lines: [{ sku: `a${n % 2}`, qty: n }, { sku: "b", qty: 1 }], flag: [true, false, null][n % 3],
});

let filledContainer;
async function filled() {
  if (!filledContainer) {
    filledContainer = await make();
    for (let n = 0; n < 40; n++) await filledContainer.items.create(item(n));
  }
  return filledContainer;
}

async function query(text, parameters = [], options = {}) {
  return (await (await filled()).items.query({ query: text, parameters }, options).fetchAll()).resources;
}

const sorted = (list) => [...list].sort((a, b) => a - b);
const everything = [...Array(40).keys()];

const scenarios = {
  async databases_are_made_listed_read_and_deleted() {
    const id = `js-other-${randomUUID()}`;
    await client.databases.create({ id });
    await refused(409, () => client.databases.create({ id }));
    assert.ok((await client.databases.readAll().fetchAll()).resources.some((each) => each.id === id));
    await client.database(id).delete();
    await refused(404, () => client.database(id).read());
  },

  async containers_keep_their_properties() {
    const indexingPolicy = { indexingMode: "consistent", includedPaths: [{ path: "/*" }], excludedPaths: [{ path: "/big/*" }],
      compositeIndexes: [[{ path: "/city", order: "ascending" }, { path: "/n", order: "descending" }]] };
    const container = await make("/a/b", { defaultTtl: -1, indexingPolicy });
    const { resource } = await container.read();
    assert.deepEqual(resource.partitionKey.paths, ["/a/b"]);
    assert.equal(resource.defaultTtl, -1);
    assert.equal(resource.indexingPolicy.compositeIndexes[0][1].path, "/n");
    assert.ok((await database.containers.readAll().fetchAll()).resources.some((each) => each.id === container.id));
    resource.indexingPolicy.excludedPaths = [{ path: "/other/*" }];
    await container.replace(resource);
    assert.equal((await container.read()).resource.indexingPolicy.excludedPaths[0].path, "/other/*");
    await refused(409, () => database.containers.create({ id: container.id, partitionKey: "/a/b" }));
    await container.delete();
    await refused(404, () => container.read());
  },

  async an_item_is_created_read_replaced_upserted_and_deleted() {
    const container = await make();
    const created = (await container.items.create(item(1))).resource;
    for (const name of ["_rid", "_self", "_etag", "_ts"]) assert.ok(created[name], name);
    await refused(409, () => container.items.create(item(1)));
    await container.items.create(item(1, "other"));
    const one = container.item("d1", "p1");
    assert.equal((await one.read()).resource.name, "odd1");
    assert.equal((await one.replace({ ...item(1), n: 100 })).resource.n, 100);
    assert.equal((await container.items.upsert({ ...item(1), n: 101 })).statusCode, 200);
    assert.equal((await container.items.upsert(item(2))).statusCode, 201);
    await one.delete();
    assert.equal((await one.read()).statusCode, 404);
    await refused(404, () => one.delete());
    await refused(404, () => one.replace(item(1)));
  },

  async a_stale_etag_is_refused_and_a_current_one_saves_the_answer() {
    const container = await make();
    const old = (await container.items.create(item(1))).resource._etag;
    const accessCondition = { type: "IfMatch", condition: old };
    const one = container.item("d1", "p1");
    const current = (await one.replace({ ...item(1), n: 2 }, { accessCondition })).resource._etag;
    await refused(412, () => one.replace(item(1), { accessCondition }));
    await refused(412, () => container.items.upsert(item(1), { accessCondition }));
    await refused(412, () => one.delete({ accessCondition }));
    assert.equal((await one.read({ accessCondition: { type: "IfNoneMatch", condition: current } })).statusCode, 304);
  },

  async ids_may_have_signs_in_them() {
    const container = await make();
    for (const id of ["a b", "ž😀", "a+b", "a&b=c", "a.b,c;d", "a:b@c", "(a)[b]{c}", "~!$*", "x".repeat(255)]) {
      await container.items.create({ id, pk: "p" });
      assert.equal((await container.item(id, "p").read()).resource.id, id);
      await container.item(id, "p").replace({ id, pk: "p", x: 1 });
      await container.item(id, "p").delete();
    }
  },

  async partition_keys_of_every_type() {
    const container = await make();
    for (const pk of ["ž😀", "a/b", '"quoted"', "", 5, 1.5, true, null]) {
      await container.items.create({ id: "1", pk });
      assert.equal((await container.item("1", pk).read()).resource.pk, pk);
    }
    const nested = await make("/a/b");
    await nested.items.create({ id: "1", a: { b: "x" } });
    assert.equal((await nested.item("1", "x").read()).resource.a.b, "x");
  },

  async hierarchical_keys_whole() {
    const container = await make(["/tenant", "/user"]);
    for (let n = 0; n < 6; n++) await container.items.create({ id: `i${n}`, tenant: `t${n % 2}`, user: `u${n % 3}` });
    assert.equal((await container.item("i1", ["t1", "u1"]).read()).resource.user, "u1");
    const found = await container.items.query("SELECT * FROM c", { partitionKey: ["t0", "u2"] }).fetchAll();
    assert.deepEqual(found.resources.map((each) => each.id), ["i2"]);
  },

  async a_patch_changes_what_it_names() {
    const container = await make();
    await container.items.create(item(1));
    const one = container.item("d1", "p1");
    await one.patch({ operations: [
      { op: "add", path: "/added", value: "x" }, { op: "set", path: "/n", value: 50 }, { op: "replace", path: "/name", value: "new" },
      { op: "remove", path: "/city" }, { op: "incr", path: "/n", value: 5 }, { op: "add", path: "/tags/0", value: "first" },
      { op: "move", from: "/flag", path: "/moved" }] });
    const { resource } = await one.read();
    assert.deepEqual([resource.added, resource.n, resource.name, resource.moved], ["x", 55, "new", false]);
    assert.deepEqual([resource.tags, resource.city], [["first", "t1", "all"], undefined]);
    const operations = [{ op: "set", path: "/x", value: 1 }];
    await refused(404, () => container.item("nope", "p1").patch({ operations }));
    await refused(400, () => one.patch({ operations: [{ op: "remove", path: "/nope" }] }));
    await refused(400, () => one.patch({ operations: [{ op: "incr", path: "/name", value: 1 }] }));
  },

  async a_batch_is_done_whole_or_not_at_all() {
    const container = await make();
    const old = (await container.items.create(item(1, "p"))).resource._etag;
    const codes = async (operations) => (await container.items.batch(operations, "p")).result.map((each) => each.statusCode);
    assert.deepEqual(await codes([
      { operationType: "Create", resourceBody: item(2, "p") }, { operationType: "Upsert", resourceBody: item(3, "p") },
      { operationType: "Replace", id: "d1", ifMatch: old, resourceBody: { ...item(1, "p"), n: 9 } },
      { operationType: "Read", id: "d1" }, { operationType: "Delete", id: "d3" }]), [201, 201, 200, 200, 204]);
    const around = (operation) => codes([{ operationType: "Create", resourceBody: item(7, "p") }, operation,
      { operationType: "Create", resourceBody: item(8, "p") }]);
    assert.deepEqual(await around({ operationType: "Create", resourceBody: item(1, "p") }), [424, 409, 424]);
    assert.deepEqual(await around({ operationType: "Replace", id: "d1", ifMatch: old, resourceBody: item(1, "p") }), [424, 412, 424]);
    assert.equal((await container.item("d7", "p").read()).statusCode, 404);
  },

  async unique_keys_hold_within_a_partition() {
    const container = await make("/pk", { uniqueKeyPolicy: { uniqueKeys: [{ paths: ["/email"] }] } });
    await container.items.create({ id: "1", pk: "p", email: "a" });
    await refused(409, () => container.items.create({ id: "2", pk: "p", email: "a" }));
    await container.items.create({ id: "3", pk: "q", email: "a" });
  },

  async what_is_too_large_is_refused() {
    const container = await make();
    await container.items.create({ id: "1", pk: "p", s: "x".repeat(1_900_000) });
    assert.equal((await container.item("1", "p").read()).resource.s.length, 1_900_000);
    await refused(413, () => container.items.create({ id: "2", pk: "p", s: "x".repeat(2_200_000) }));
  },

  async a_wrong_key_is_refused() {
    await refused(401, () => new CosmosClient({ endpoint, key: "d3Jvbmc=" }).databases.readAll().fetchAll());
  },

  async a_query_filters() {
    const numbers = async (condition, parameters) => sorted(await query(`SELECT VALUE c.n FROM c WHERE ${condition}`, parameters));
    assert.deepEqual(await numbers("c.n = 5 AND c.city = 'Brno'"), [5]);
    assert.deepEqual(await numbers("NOT (c.n > 1) OR c.n = 39"), [0, 1, 39]);
    assert.deepEqual(await numbers("c.n IN (1, 2, 99)"), [1, 2]);
    assert.deepEqual(await numbers("c.n BETWEEN 5 AND 8"), [5, 6, 7, 8]);
    assert.deepEqual(await numbers("c.name LIKE 'Even1%'"), [10, 12, 14, 16, 18]);
    assert.deepEqual(await numbers("STARTSWITH(c.name, 'EVEN1', true) AND ENDSWITH(c.name, '8')"), [18]);
    assert.equal((await numbers("ARRAY_CONTAINS(c.tags, 't1')")).length, 13);
    assert.equal((await numbers("IS_NULL(c.flag) AND IS_DEFINED(c.n) AND NOT IS_DEFINED(c.nothing)")).length, 13);
    assert.deepEqual(await numbers("c['n'] = 3 AND c.lines[0].sku = 'a1'"), [3]);
    assert.deepEqual(await numbers("c.city = @city AND c.n > @n AND ARRAY_CONTAINS(@ids, c.id)",
      [{ name: "@city", value: "Brno" }, { name: "@n", value: 1 }, { name: "@ids", value: ["d5", "d6"] }]), [5]);
  },

  async a_query_projects() {
    assert.deepEqual(await query("SELECT c.id, c.n AS number FROM c WHERE c.n = 5"), [{ id: "d5", number: 5 }]);
    assert.deepEqual(await query("SELECT VALUE (c.n > 3 ? 'big' : 'small') FROM c WHERE (c.nothing ?? 'none') = 'none' AND c.n = 5"), ["big"]);
    assert.deepEqual(await query("SELECT VALUE LOWER(CONCAT(c.city, '-', SUBSTRING(c.name, 0, 4))) FROM c WHERE c.n = 2"), ["plzeň-even"]);
  },

  async a_query_sorts_cuts_and_pages() {
    const partitionKey = "p1";
    assert.deepEqual(await query("SELECT VALUE c.n FROM c ORDER BY c.n"), everything);
    assert.deepEqual(await query("SELECT VALUE c.n FROM c ORDER BY c.n DESC", [], { partitionKey }), [36, 31, 26, 21, 16, 11, 6, 1]);
    assert.deepEqual(await query("SELECT TOP 3 VALUE c.n FROM c ORDER BY c.n"), [0, 1, 2]);
    assert.deepEqual(await query("SELECT VALUE c.n FROM c ORDER BY c.n OFFSET 5 LIMIT 3"), [5, 6, 7]);
    assert.deepEqual(sorted(await query("SELECT VALUE c.n FROM c", [], { maxItemCount: 3 })), everything);
    const found = [];
    let continuationToken;
    do {
      const pages = (await filled()).items.query("SELECT VALUE c.n FROM c", { partitionKey, maxItemCount: 3, continuationToken });
      const page = await pages.fetchNext();
      found.push(...page.resources);
      continuationToken = page.continuationToken;
    } while (continuationToken);
    assert.deepEqual(sorted(found), [1, 6, 11, 16, 21, 26, 31, 36]);
  },

  async a_query_aggregates() {
    assert.deepEqual(await query("SELECT VALUE COUNT(1) FROM c"), [40]);
    assert.deepEqual(await query("SELECT VALUE SUM(c.n) FROM c"), [780]);
    assert.deepEqual(await query("SELECT VALUE AVG(c.n) FROM c"), [19.5]);
    assert.deepEqual(await query("SELECT MIN(c.n) AS lo, MAX(c.n) AS hi FROM c", [], { partitionKey: "p1" }), [{ lo: 1, hi: 36 }]);
    assert.deepEqual((await query("SELECT DISTINCT VALUE c.city FROM c")).sort(), [...CITIES].sort());
    const groups = await query("SELECT c.city, COUNT(1) AS n FROM c GROUP BY c.city");
    assert.deepEqual(Object.fromEntries(groups.map((each) => [each.city, each.n])), Object.fromEntries(CITIES.map((city) => [city, 10])));
  },

  async a_query_joins_within_an_item() {
    assert.equal((await query("SELECT c.id, t AS tag FROM c JOIN t IN c.tags WHERE t = 't1'")).length, 13);
    assert.deepEqual(sorted(await query("SELECT VALUE l.qty FROM c JOIN l IN c.lines WHERE l.sku = 'a1' AND c.n < 6")), [1, 3, 5]);
    assert.equal((await query("SELECT VALUE l.sku FROM l IN c.lines")).length, 80);
  },

  async a_query_that_cannot_be_read_is_refused() {
    await refused(400, () => query("SELEC * FROM c"));
    await refused(400, () => query("SELECT VALUE NO_SUCH(c.n) FROM c"));
    await refused(400, () => query("SELECT * FROM c WHERE EXISTS(SELECT VALUE l FROM l IN c.lines)"));
  },

  async the_change_feed_tells_each_change_once() {
    const container = await make();
    for (let n = 0; n < 10; n++) await container.items.create(item(n));
    await container.items.upsert(item(3));
    const read = async (changeFeedStartFrom) => {
      const changes = container.items.getChangeFeedIterator({ changeFeedStartFrom, maxItemCount: 100 });
      const found = [];
      for (;;) {
        const page = await changes.readNext();
        if (page.statusCode === 304) return [found, page.continuationToken];
        found.push(...page.result);
      }
    };
    const [first, token] = await read(ChangeFeedStartFrom.Beginning());
    assert.deepEqual(sorted(first.map((each) => each.n)), [...Array(10).keys()]);
    await container.items.create(item(50));
    assert.deepEqual((await read(ChangeFeedStartFrom.Continuation(token)))[0].map((each) => each.id), ["d50"]);
  },

  async an_answer_says_its_session_and_its_charge() {
    const container = await make();
    const created = await container.items.create(item(1));
    assert.ok(created.requestCharge > 0 && created.headers["x-ms-session-token"]);
    const sessionToken = created.headers["x-ms-session-token"];
    assert.equal((await container.item("d1", "p1").read({ sessionToken })).resource.n, 1);
    assert.ok((await container.readPartitionKeyRanges().fetchAll()).resources.length >= 1);
    assert.equal((await (await filled()).items.readAll().fetchAll()).resources.length, 40);
  },
};

let failed = 0;
for (const [name, run] of Object.entries(scenarios)) {
  try {
    await run();
    console.log(`ok javascript ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED javascript ${name}\n${error.stack}`);
  }
}
await database.delete();
const count = Object.keys(scenarios).length;
console.log(`javascript: ${count - failed} of ${count} scenarios`);
process.exit(failed ? 1 : 0);
