// The life of a metric and its alarm through the unmodified SDK. Endpoint and credentials come from
// the environment, as for every user. Prints one JSON document of what it saw; the test judges it.
//
//   node alarms.mjs NAME

import {
  CloudWatchClient,
  DeleteAlarmsCommand,
  DescribeAlarmsCommand,
  GetMetricDataCommand,
  GetMetricStatisticsCommand,
  paginateDescribeAlarmHistory,
  paginateListMetrics,
  PutMetricAlarmCommand,
  PutMetricDataCommand,
  ResourceNotFound,
  SetAlarmStateCommand,
  waitUntilAlarmExists,
} from "@aws-sdk/client-cloudwatch";

const [name] = process.argv.slice(2);
const client = new CloudWatchClient({});
const seen = {};

// Large bodies go out compressed; which ones did is noted on their way out.
const encodings = new Set();
client.middlewareStack.add(
  (next) => (args) => {
    encodings.add(args.request.headers["content-encoding"] ?? "none");
    return next(args);
  },
  { step: "finalizeRequest", priority: "low", name: "noteEncodings" },
);

const Dimensions = [{ Name: "shop", Value: "one" }];
const metric = { Namespace: name, MetricName: "orders", Dimensions };
const Timestamp = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 60_000);
const datum = { MetricName: "orders", Dimensions, Timestamp, Unit: "Count" };
await client.send(
  new PutMetricDataCommand({
    Namespace: name,
    MetricData: [
      { ...datum, Value: 2 },
      { ...datum, Values: [1, 6.5], Counts: [2, 1] },
      ...Array.from({ length: 300 }, (_, at) => ({ MetricName: `other-${at}`, Value: at })),
    ],
  }),
);
seen.encodings = [...encodings];
const times = { StartTime: new Date(+Timestamp - 600_000), EndTime: new Date(Date.now() + 60_000) };
const { Datapoints } = await client.send(
  new GetMetricStatisticsCommand({
    ...metric,
    ...times,
    Period: 60,
    Statistics: ["Sum", "SampleCount", "Maximum"],
  }),
);
seen.points = Datapoints.map((point) => ({
  ...point,
  Timestamp: +point.Timestamp === +Timestamp,
}));
const stat = (Stat) => ({ Metric: metric, Period: 60, Stat });
const { MetricDataResults } = await client.send(
  new GetMetricDataCommand({
    ...times,
    MetricDataQueries: [
      { Id: "sum", MetricStat: stat("Sum"), ReturnData: false },
      { Id: "count", MetricStat: stat("SampleCount"), ReturnData: false },
      { Id: "mean", Expression: "sum / count" },
    ],
  }),
);
seen.data = MetricDataResults.map(({ Id, Values, StatusCode }) => [Id, Values, StatusCode]);
seen.listed = 0;
for await (const page of paginateListMetrics({ client }, { Namespace: name })) {
  seen.listed += page.Metrics.length;
}

const AlarmNames = [name];
await client.send(
  new PutMetricAlarmCommand({
    Namespace: name,
    MetricName: "never-put",
    Dimensions,
    AlarmName: name,
    Statistic: "Sum",
    Period: 60,
    EvaluationPeriods: 1,
    Threshold: 1e6,
    ComparisonOperator: "GreaterThanThreshold",
    TreatMissingData: "ignore",
    Tags: [{ Key: "team", Value: "a" }],
  }),
);
await waitUntilAlarmExists({ client, maxWaitTime: 10 }, { AlarmNames });
await client.send(
  new SetAlarmStateCommand({
    AlarmName: name,
    StateValue: "ALARM",
    StateReason: "übung",
    StateReasonData: '{"by": "hand"}',
  }),
);
const { MetricAlarms } = await client.send(new DescribeAlarmsCommand({ AlarmNames }));
const [alarm] = MetricAlarms;
seen.alarm = {
  arn: alarm.AlarmArn,
  threshold: alarm.Threshold,
  dimensions: alarm.Dimensions,
  isDate: alarm.StateUpdatedTimestamp instanceof Date,
  state: alarm.StateValue,
  reason: alarm.StateReason,
};
seen.history = [];
const history = { AlarmName: name, ScanBy: "TimestampAscending" };
for await (const page of paginateDescribeAlarmHistory({ client, pageSize: 1 }, history)) {
  seen.history.push(...page.AlarmHistoryItems.map((item) => item.HistoryItemType));
}
await client.send(new DeleteAlarmsCommand({ AlarmNames }));
try {
  await client.send(
    new SetAlarmStateCommand({ AlarmName: name, StateValue: "OK", StateReason: "none" }),
  );
} catch (error) {
  seen.afterDelete = { name: error.name, isKnown: error instanceof ResourceNotFound };
}
process.stdout.write(JSON.stringify(seen));
