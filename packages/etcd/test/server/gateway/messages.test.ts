import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, fromBinary, toBinary, toJsonString, type DescMessage } from "@bufbuild/protobuf";
import fc from "fast-check";
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  KV,
  PutRequestSchema,
  RangeRequestSchema,
  RangeResponseSchema,
  TxnRequestSchema,
} from "../../../src/proto/generated/etcdserverpb/kv_pb.ts";
import { Auth } from "../../../src/proto/generated/etcdserverpb/auth_pb.ts";
import { Cluster } from "../../../src/proto/generated/etcdserverpb/cluster_pb.ts";
import { Maintenance } from "../../../src/proto/generated/etcdserverpb/maintenance_pb.ts";
import { Watch } from "../../../src/proto/generated/etcdserverpb/watch_pb.ts";
import { Election } from "../../../src/proto/generated/v3electionpb_pb.ts";
import { Lock } from "../../../src/proto/generated/v3lockpb_pb.ts";
import { Lease, LeaseGrantRequestSchema } from "../../../src/proto/generated/etcdserverpb/lease_pb.ts";
import { answerJson } from "../../../src/server/gateway/answer-message.ts";
import { JsonError, parseJson } from "../../../src/server/gateway/json-value.ts";
import { encodeRequest } from "../../../src/server/gateway/request-message.ts";
import { ROUTES } from "../../../src/server/gateway/routes.ts";

const encode = (schema: DescMessage, text: string): Uint8Array =>
  encodeRequest(schema, parseJson(text) ?? null);

function refusal(schema: DescMessage, text: string): string | undefined {
  try {
    encode(schema, text);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof JsonError, String(error));
    return error.message;
  }
}

const bytes = fc.uint8Array({ maxLength: 20 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

describe("requests in JSON", () => {
  test("are the messages that protobuf's own JSON means", () => {
    const requests = fc.record({ key: bytes, value: bytes, lease: int64, prevKv: fc.boolean() });
    fc.assert(
      fc.property(requests, fc.boolean(), (fields, useProtoFieldName) => {
        const message = create(PutRequestSchema, fields);
        const text = toJsonString(PutRequestSchema, message, { useProtoFieldName });
        assert.deepEqual(fromBinary(PutRequestSchema, encode(PutRequestSchema, text)), message);
      }),
    );
  });

  test("take names and enums in both forms, and numbers as text or not", () => {
    const forms = [
      '{"compare":[{"target":"CREATE","result":"EQUAL","key":"YQ==","create_revision":"7"}],"success":[{"request_range":{"key":"YQ=="}}]}',
      '{"compare":[{"target":1,"result":0,"key":"YQ==","createRevision":7}],"success":[{"requestRange":{"key":"YQ=="}}],"nobody":{"knows":[1]}}',
    ];
    for (const form of forms) {
      const txn = fromBinary(TxnRequestSchema, encode(TxnRequestSchema, form));
      assert.equal(txn.compare[0]?.target, Compare_CompareTarget.CREATE);
      assert.equal(txn.compare[0]?.result, Compare_CompareResult.EQUAL);
      assert.deepEqual(txn.compare[0]?.targetUnion, { case: "createRevision", value: 7n });
      assert.equal(txn.success[0]?.request.case, "requestRange");
    }
  });

  test("keep ids that no double can hold", () => {
    const { ID } = fromBinary(
      LeaseGrantRequestSchema,
      encode(LeaseGrantRequestSchema, '{"ID":7587865424232484003}'),
    );
    assert.equal(ID, 7587865424232484003n);
  });

  test("are refused in the words of Go where a value is not of its type", () => {
    const cases: Readonly<Record<string, string | undefined>> = {
      '{"limit":"x"}': "invalid character 'x' looking for beginning of value",
      '{"limit":""}': "unexpected end of JSON input",
      '{"limit":1.5}': "json: cannot unmarshal number 1.5 into Go value of type int64",
      '{"limit":1e3}': "json: cannot unmarshal number 1e3 into Go value of type int64",
      '{"limit":99999999999999999999}':
        "json: cannot unmarshal number 99999999999999999999 into Go value of type int64",
      '{"limit":{}}': "json: cannot unmarshal object into Go value of type int64",
      '{"limit":null,"keys_only":null}': undefined,
      '{"keys_only":1}': "json: cannot unmarshal number into Go value of type bool",
      '{"key":"***"}': "illegal base64 data at input byte 0",
      '{"key":"YQ"}': "illegal base64 data at input byte 0",
      '{"key":"YQ="}': "illegal base64 data at input byte 3",
      '{"key":"Y=Q="}': "illegal base64 data at input byte 1",
      '{"key":"YQ==YQ=="}': "illegal base64 data at input byte 4",
      '{"key":"-_=="}': "illegal base64 data at input byte 0",
      '{"key":"YQ\\n=="}': undefined,
      '{"key":[97,98]}': undefined,
      '{"key":[256]}': "json: cannot unmarshal number 256 into Go value of type uint8",
      '{"key":5}': "json: cannot unmarshal number into Go value of type []uint8",
      '{"sort_order":"NOPE"}': 'unknown value "NOPE" for enum etcdserverpb.RangeRequest.SortOrder',
      '"x"': "json: cannot unmarshal string into Go value of type map[string]json.RawMessage",
    };
    for (const [text, message] of Object.entries(cases)) {
      assert.equal(refusal(RangeRequestSchema, text), message, text);
    }
  });

  test("any JSON is a message or is refused, for every path", () => {
    const names = fc.constantFrom(
      ...new Set(
        ROUTES.flatMap(({ method }) => method.input.fields.flatMap(({ name, jsonName }) => [name, jsonName])),
      ),
    );
    const texts = fc
      .dictionary(fc.oneof(names, fc.string()), fc.jsonValue())
      .map((value) => JSON.stringify(value));
    fc.assert(
      fc.property(fc.constantFrom(...ROUTES), texts, ({ method }, text) => {
        if (refusal(method.input, text) === undefined) fromBinary(method.input, encode(method.input, text));
      }),
      { numRuns: 500 },
    );
  });
});

describe("answers in JSON", () => {
  test("are what protobuf's own JSON is, with the names of the .proto file", () => {
    const kvs = fc.array(
      fc.record({ key: bytes, value: bytes, createRevision: int64, lease: int64, version: int64 }),
      { maxLength: 3 },
    );
    fc.assert(
      fc.property(kvs, int64, fc.boolean(), (all, revision, more) => {
        const message = create(RangeResponseSchema, {
          header: { revision },
          kvs: all,
          more,
          count: revision,
        });
        const encoded = Buffer.from(toBinary(RangeResponseSchema, message)).toString("latin1");
        const own = answerJson(RangeResponseSchema, encoded);
        assert.equal(own, toJsonString(RangeResponseSchema, message, { useProtoFieldName: true }));
      }),
    );
  });

  test("each RPC of etcd's services has a path, and those of leases that had another in 3.3 have both", () => {
    const services = [KV, Watch, Lease, Cluster, Maintenance, Auth, Lock, Election];
    const rpcs = services.flatMap(({ typeName, methods }) =>
      methods.map(({ name }) => `${typeName}/${name}`),
    );
    const routed = ROUTES.map(({ service, method }) => `${service}/${method.name}`);
    assert.deepEqual([...new Set(routed)].sort(), rpcs.sort());
    assert.deepEqual(
      routed.filter((rpc, place) => routed.indexOf(rpc) < place),
      ["LeaseRevoke", "LeaseTimeToLive", "LeaseLeases"].map((name) => `etcdserverpb.Lease/${name}`),
    );
  });
});
