// Driver for franz-go: answers the commands of tests/clients/README.md, one JSON object per line.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type command struct {
	Op         string             `json:"op"`
	Topic      string             `json:"topic"`
	Partition  int32              `json:"partition"`
	Partitions int32              `json:"partitions"`
	Config     map[string]*string `json:"config"`
	Codec      string             `json:"codec"`
	Acks       string             `json:"acks"`
	Idempotent bool               `json:"idempotent"`
	Producer   string             `json:"producer"`
	Records    []record           `json:"records"`
	Generate   *struct {
		Count int    `json:"count"`
		Size  int    `json:"size"`
		Seed  string `json:"seed"`
	} `json:"generate"`
	File      string          `json:"file"`
	From      json.RawMessage `json:"from"`
	Count     int64           `json:"count"`
	Digest    bool            `json:"digest"`
	Timestamp int64           `json:"timestamp"`
	Before    int64           `json:"before"`
	Name      string          `json:"name"`
	Value     string          `json:"value"`
	Timeout   int             `json:"timeout"`
	Group     string          `json:"group"`
	Member    string          `json:"member"`
	Protocol  string          `json:"protocol"`
	Instance  string          `json:"instance"`
	SessionMs int             `json:"session_ms"`
	Isolation string          `json:"isolation"`
	Offset    int64           `json:"offset"`
	Commit    bool            `json:"commit"`

	TransactionalID      string `json:"transactional_id"`
	TransactionTimeoutMs int    `json:"transaction_timeout_ms"`
}

// record is one record as commands and answers spell it; encoding/json makes base64 of the byte slices and null of nil.
type record struct {
	Offset    int64    `json:"offset"`
	Timestamp *int64   `json:"timestamp"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []header `json:"headers"`
}

// header is a [name, value] pair.
type header struct {
	name  string
	value []byte
}

func (h header) MarshalJSON() ([]byte, error) { return json.Marshal([]any{h.name, h.value}) }

func (h *header) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&h.name, &h.value})
}

type object = map[string]any

type driver struct {
	address   string
	admin     *kadm.Client
	producers map[string]*kgo.Client
	members   map[string]*member
}

// member is a consumer in a group, the partitions that it has, and what happened to them since the last answer.
type member struct {
	client   *kgo.Client
	mutex    sync.Mutex
	assigned map[int32]bool
	events   []any
}

func main() {
	address := os.Args[1]
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.ClientID("franz-go"))
	if err != nil {
		panic(err)
	}
	d := &driver{address, kadm.NewClient(client), map[string]*kgo.Client{}, map[string]*member{}}
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var c command
		answer := object{}
		if err := json.Unmarshal(line, &c); err != nil {
			answer["error"] = err.Error()
		} else if ok, err := d.answer(&c); errors.Is(err, errors.ErrUnsupported) {
			answer["na"] = err.Error()
		} else if err != nil {
			answer["error"] = err.Error()
		} else {
			answer["ok"] = ok
		}
		text, err := json.Marshal(answer)
		if err != nil {
			panic(err)
		}
		os.Stdout.Write(append(text, '\n'))
	}
}

func (d *driver) answer(c *command) (object, error) {
	if c.Timeout == 0 {
		c.Timeout = 60
	}
	cx, cancel := context.WithTimeout(context.Background(), time.Duration(c.Timeout)*time.Second)
	defer cancel()
	switch c.Op {
	case "hello":
		return object{"version": version(), "codecs": []string{"none", "gzip", "snappy", "lz4", "zstd"}}, nil
	case "create_topic":
		_, err := d.admin.CreateTopic(cx, c.Partitions, 1, c.Config, c.Topic)
		return object{}, err
	case "delete_topic":
		answers, err := d.admin.DeleteTopics(cx, c.Topic)
		return object{}, errors.Join(err, answers.Error())
	case "describe_topic":
		return d.describeTopic(cx, c)
	case "add_partitions":
		answers, err := d.admin.UpdatePartitions(cx, int(c.Partitions), c.Topic)
		return object{}, errors.Join(err, answers.Error())
	case "describe_config":
		return d.describeConfig(cx, c)
	case "alter_config":
		change := kadm.AlterConfig{Op: kadm.SetConfig, Name: c.Name, Value: &c.Value}
		answers, err := d.admin.AlterTopicConfigs(cx, []kadm.AlterConfig{change}, c.Topic)
		for _, answer := range answers {
			err = errors.Join(err, answer.Err)
		}
		return object{}, err
	case "delete_records":
		return d.deleteRecords(cx, c)
	case "offsets":
		return d.offsets(cx, c)
	case "offset_for_time":
		offset, err := d.offsetForTime(cx, c, c.Timestamp)
		return object{"offset": offset}, err
	case "produce":
		return d.produce(cx, c)
	case "begin":
		return object{}, d.begin(cx, c)
	case "send_offset":
		return object{}, d.sendOffset(cx, c)
	case "end":
		return object{}, d.producers[c.Producer].EndTransaction(cx, kgo.TransactionEndTry(c.Commit))
	case "consume":
		return d.consume(cx, c)
	case "join_group":
		return object{}, d.joinGroup(c)
	case "poll":
		return d.poll(cx, c)
	case "commit":
		m := d.members[c.Member]
		err := m.client.CommitUncommittedOffsets(cx)
		return object{"events": m.newEvents()}, err
	case "leave":
		m := d.members[c.Member]
		delete(d.members, c.Member)
		m.client.Close()
		return object{"events": m.newEvents()}, nil
	case "tail":
		return d.tail(cx, c)
	case "subscribe":
		return d.subscribe(cx, c)
	}
	return nil, fmt.Errorf("%w: no %s in this client", errors.ErrUnsupported, c.Op)
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/twmb/franz-go" {
			return module.Version
		}
	}
	return "unknown"
}

func (d *driver) describeTopic(cx context.Context, c *command) (object, error) {
	topics, err := d.admin.ListTopics(cx, c.Topic)
	if err != nil {
		return nil, err
	}
	partitions := []object{}
	for _, p := range topics[c.Topic].Partitions.Sorted() {
		partitions = append(partitions, object{"id": p.Partition, "leader": p.Leader, "replicas": p.Replicas, "isr": p.ISR})
	}
	return object{"partitions": partitions}, topics.Error()
}

func (d *driver) describeConfig(cx context.Context, c *command) (object, error) {
	found, err := d.admin.DescribeTopicConfigs(cx, c.Topic)
	if err != nil {
		return nil, err
	}
	resource, err := found.On(c.Topic, nil)
	for _, config := range resource.Configs {
		if config.Key == c.Name {
			return object{"value": config.MaybeValue()}, errors.Join(err, resource.Err)
		}
	}
	return nil, errors.Join(fmt.Errorf("no config %s", c.Name), err, resource.Err)
}

func (d *driver) deleteRecords(cx context.Context, c *command) (object, error) {
	var until kadm.Offsets
	until.AddOffset(c.Topic, c.Partition, c.Before, -1)
	answers, err := d.admin.DeleteRecords(cx, until)
	if err := errors.Join(err, answers.Error()); err != nil {
		return nil, err
	}
	answer, _ := answers.Lookup(c.Topic, c.Partition)
	return object{"low_watermark": answer.LowWatermark}, nil
}

func (d *driver) offsets(cx context.Context, c *command) (object, error) {
	first, errFirst := d.admin.ListStartOffsets(cx, c.Topic)
	end, errEnd := d.admin.ListEndOffsets(cx, c.Topic)
	earliest, _ := first.Lookup(c.Topic, c.Partition)
	latest, _ := end.Lookup(c.Topic, c.Partition)
	return object{"earliest": earliest.Offset, "latest": latest.Offset}, errors.Join(errFirst, errEnd, earliest.Err, latest.Err)
}

func (d *driver) offsetForTime(cx context.Context, c *command, timestamp int64) (int64, error) {
	listed, err := d.admin.ListOffsetsAfterMilli(cx, timestamp, c.Topic)
	found, _ := listed.Lookup(c.Topic, c.Partition)
	return found.Offset, errors.Join(err, found.Err)
}

func (d *driver) produce(cx context.Context, c *command) (object, error) {
	producer := d.producers[c.Producer]
	if producer == nil {
		var err error
		if producer, err = d.open(c); err != nil {
			return nil, err
		}
		if c.Producer == "" {
			defer producer.Close()
		} else {
			d.producers[c.Producer] = producer
		}
	}
	var mutex sync.Mutex
	var failure error
	offsets := []int64{}
	err := c.forEachRecord(func(r *kgo.Record) {
		r.Topic, r.Partition = c.Topic, c.Partition
		producer.Produce(cx, r, func(r *kgo.Record, err error) {
			mutex.Lock()
			defer mutex.Unlock()
			failure = errors.Join(failure, err)
			offsets = append(offsets, r.Offset)
		})
	})
	if err := errors.Join(err, producer.Flush(cx)); err != nil {
		return nil, err
	}
	mutex.Lock()
	defer mutex.Unlock()
	answer := object{"count": len(offsets), "offsets": nil}
	if c.Acks != "0" && len(offsets) <= 1000 {
		answer["offsets"] = offsets
	}
	return answer, failure
}

func (d *driver) open(c *command) (*kgo.Client, error) {
	codecs := map[string]kgo.CompressionCodec{
		"": kgo.NoCompression(), "none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	acks := map[string]kgo.Acks{"": kgo.AllISRAcks(), "all": kgo.AllISRAcks(), "1": kgo.LeaderAck(), "0": kgo.NoAck()}
	options := []kgo.Opt{
		kgo.SeedBrokers(d.address), kgo.ClientID("franz-go"), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codecs[c.Codec]), kgo.RequiredAcks(acks[c.Acks]),
		kgo.ProducerBatchMaxBytes(1_040_000), kgo.ProducerLinger(5 * time.Millisecond),
		kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(20),
	}
	if !c.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	return kgo.NewClient(options...)
}

func (d *driver) begin(cx context.Context, c *command) error {
	producer := d.producers[c.Producer]
	if producer == nil {
		var err error
		producer, err = kgo.NewClient(
			kgo.SeedBrokers(d.address), kgo.ClientID("franz-go"), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.TransactionalID(c.TransactionalID), kgo.ProducerLinger(5*time.Millisecond),
			kgo.TransactionTimeout(time.Duration(c.TransactionTimeoutMs)*time.Millisecond),
		)
		if err != nil {
			return err
		}
		if _, _, err := producer.ProducerID(cx); err != nil {
			return err
		}
		d.producers[c.Producer] = producer
	}
	return producer.BeginTransaction()
}

// sendOffset commits a group's offset in a transaction, request by request: franz-go does it for members of a group only.
func (d *driver) sendOffset(cx context.Context, c *command) error {
	producer := d.producers[c.Producer]
	id, epoch, err := producer.ProducerID(cx)
	if err != nil {
		return err
	}
	topics, err := d.admin.ListTopics(cx, c.Topic)
	if err != nil {
		return err
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.Group, add.ProducerID, add.ProducerEpoch = c.TransactionalID, c.Group, id, epoch
	added, err := add.RequestWith(cx, producer)
	if err := errors.Join(err, kerr.ErrorForCode(added.ErrorCode)); err != nil {
		return err
	}
	partition := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	partition.Partition, partition.Offset = c.Partition, c.Offset
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID, topic.Partitions = c.Topic, topics[c.Topic].ID, append(topic.Partitions, partition)
	commit := kmsg.NewPtrTxnOffsetCommitRequest()
	commit.TransactionalID, commit.Group, commit.ProducerID, commit.ProducerEpoch = c.TransactionalID, c.Group, id, epoch
	commit.Topics = append(commit.Topics, topic)
	committed, err := commit.RequestWith(cx, producer)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(committed.Topics[0].Partitions[0].ErrorCode)
}

func (d *driver) consume(cx context.Context, c *command) (object, error) {
	offset := kgo.NewOffset()
	var from struct{ Timestamp int64 }
	if at, err := strconv.ParseInt(string(c.From), 10, 64); err == nil {
		offset = offset.At(at)
	} else if string(c.From) == `"earliest"` {
		offset = offset.AtStart()
	} else if err := json.Unmarshal(c.From, &from); err == nil {
		offset = offset.AfterMilli(from.Timestamp)
	} else {
		return nil, err
	}
	consumer, err := d.consumer(c, offset)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	return fill(cx, consumer, c)
}

// tail reads the end offset before it writes, and starts there: franz-go resolves "latest" in its first poll only.
func (d *driver) tail(cx context.Context, c *command) (object, error) {
	end, err := d.admin.ListEndOffsets(cx, c.Topic)
	latest, _ := end.Lookup(c.Topic, c.Partition)
	if err := errors.Join(err, latest.Err); err != nil {
		return nil, err
	}
	consumer, err := d.consumer(c, kgo.NewOffset().At(latest.Offset))
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	produced, err := d.produce(cx, c)
	if err != nil {
		return nil, err
	}
	return fill(cx, consumer, &command{Count: int64(produced["count"].(int))})
}

func (d *driver) subscribe(cx context.Context, c *command) (object, error) {
	consumer, err := kgo.NewClient(
		kgo.SeedBrokers(d.address), kgo.ClientID("franz-go"), kgo.ConsumerGroup(c.Group), kgo.ConsumeTopics(c.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
	)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	sink, err := newSink(c)
	if err != nil {
		return nil, err
	}
	if err := sink.fill(cx, consumer); err != nil {
		return nil, err
	}
	if err := consumer.CommitRecords(cx, sink.last); err != nil {
		return nil, err
	}
	return sink.answer()
}

func (d *driver) joinGroup(c *command) error {
	m := &member{assigned: map[int32]bool{}, events: []any{}}
	session := 10 * time.Second
	if c.SessionMs > 0 {
		session = time.Duration(c.SessionMs) * time.Millisecond
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(d.address),
		kgo.ClientID("franz-go"),
		kgo.ConsumerGroup(c.Group),
		kgo.ConsumeTopics(c.Topic),
		kgo.SessionTimeout(session),
		kgo.HeartbeatInterval(session / 6),
		kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(m.note(c, "assigned")),
		kgo.OnPartitionsRevoked(m.note(c, "revoked")),
		kgo.OnPartitionsLost(m.note(c, "lost")),
	}
	switch c.Protocol {
	case "eager":
		options = append(options, kgo.Balancers(kgo.RangeBalancer()))
	case "cooperative":
		options = append(options, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	case "consumer":
		options = append(options, kgo.Balancers(kgo.StickyBalancer()), kgo.ServerSideBalancer())
	}
	if c.Instance != "" {
		options = append(options, kgo.InstanceID(c.Instance))
	}
	client, err := kgo.NewClient(options...)
	m.client = client
	d.members[c.Member] = m
	return err
}

// note makes a callback that keeps what it is told.
func (m *member) note(c *command, what string) func(context.Context, *kgo.Client, map[string][]int32) {
	return func(_ context.Context, client *kgo.Client, changed map[string][]int32) {
		m.mutex.Lock()
		defer m.mutex.Unlock()
		partitions := append([]int32{}, changed[c.Topic]...)
		for _, partition := range partitions {
			m.assigned[partition] = what == "assigned"
		}
		var generation any
		if _, number := client.GroupMetadata(); c.Protocol != "consumer" { // which has an epoch for each member
			generation = number
		}
		m.events = append(m.events, []any{float64(time.Now().UnixMicro()) / 1e6, what, generation, partitions})
	}
}

func (m *member) newEvents() []any {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	events := m.events
	m.events = []any{}
	return events
}

func (d *driver) poll(cx context.Context, c *command) (object, error) {
	m := d.members[c.Member]
	cx, cancel := context.WithTimeout(cx, time.Second)
	defer cancel()
	taken := [][2]int64{}
	m.client.PollFetches(cx).EachRecord(func(r *kgo.Record) {
		taken = append(taken, [2]int64{int64(r.Partition), r.Offset})
	})
	events := m.newEvents()
	m.mutex.Lock()
	defer m.mutex.Unlock()
	assigned := []int32{}
	for partition := range int32(1000) {
		if m.assigned[partition] {
			assigned = append(assigned, partition)
		}
	}
	return object{"assigned": assigned, "taken": taken, "events": events}, nil
}

func (d *driver) consumer(c *command, from kgo.Offset) (*kgo.Client, error) {
	isolation := kgo.ReadUncommitted()
	if c.Isolation == "read_committed" {
		isolation = kgo.ReadCommitted()
	}
	return kgo.NewClient(
		kgo.FetchIsolationLevel(isolation),
		kgo.SeedBrokers(d.address), kgo.ClientID("franz-go"), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.Topic: {c.Partition: from}}),
	)
}

func fill(cx context.Context, consumer *kgo.Client, c *command) (object, error) {
	sink, err := newSink(c)
	if err != nil {
		return nil, err
	}
	if err := sink.fill(cx, consumer); err != nil {
		return nil, err
	}
	return sink.answer()
}

// forEachRecord gives the records that a produce command names: listed, generated, or the lines of a file.
func (c *command) forEachRecord(use func(*kgo.Record)) error {
	switch {
	case c.Generate != nil:
		for i := range c.Generate.Count {
			unit := fmt.Sprintf("%s:%d:", c.Generate.Seed, i)
			value := strings.Repeat(unit, c.Generate.Size/len(unit)+1)[:c.Generate.Size]
			use(&kgo.Record{Key: []byte(strconv.Itoa(i)), Value: []byte(value)})
		}
	case c.File != "":
		file, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer file.Close()
		lines := bufio.NewReaderSize(file, 1<<20)
		for {
			line, err := lines.ReadBytes('\n')
			if len(line) > 0 {
				use(&kgo.Record{Value: bytes.TrimSuffix(line, []byte("\n"))})
			}
			if err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
		}
	default:
		for _, r := range c.Records {
			made := &kgo.Record{Key: r.Key, Value: r.Value}
			for _, h := range r.Headers {
				made.Headers = append(made.Headers, kgo.RecordHeader{Key: h.name, Value: h.value})
			}
			if r.Timestamp != nil {
				made.Timestamp = time.UnixMilli(*r.Timestamp)
			}
			use(made)
		}
	}
	return nil
}

// sink takes consumed records and answers in the form that the consume command asks for.
type sink struct {
	wanted, taken int64
	last          *kgo.Record
	listed        []record
	sha256        hash.Hash
	file          *os.File
	buffer        *bufio.Writer
}

func newSink(c *command) (*sink, error) {
	s := &sink{wanted: c.Count, listed: []record{}}
	if c.Digest {
		s.sha256 = sha256.New()
	}
	if c.File != "" {
		file, err := os.Create(c.File)
		if err != nil {
			return nil, err
		}
		s.file, s.buffer = file, bufio.NewWriterSize(file, 1<<20)
	}
	return s, nil
}

func (s *sink) fill(cx context.Context, consumer *kgo.Client) error {
	for !s.full() {
		fetches := consumer.PollFetches(cx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %d of %d records: %w", s.taken, s.wanted, err)
		}
		fetches.EachRecord(s.take)
	}
	return nil
}

func (s *sink) full() bool { return s.taken >= s.wanted }

func (s *sink) take(r *kgo.Record) {
	if s.full() {
		return
	}
	s.taken++
	s.last = r
	switch {
	case s.buffer != nil:
		s.buffer.Write(r.Value)
		s.buffer.WriteByte('\n')
	case s.sha256 != nil:
		fmt.Fprintf(s.sha256, "%d,%d,%d\n", r.Offset, size(r.Key), size(r.Value))
		s.sha256.Write(r.Key)
		s.sha256.Write(r.Value)
	default:
		timestamp := r.Timestamp.UnixMilli()
		row := record{r.Offset, &timestamp, r.Key, r.Value, []header{}}
		for _, h := range r.Headers {
			row.Headers = append(row.Headers, header{h.Key, h.Value})
		}
		s.listed = append(s.listed, row)
	}
}

func (s *sink) answer() (object, error) {
	switch {
	case s.buffer != nil:
		return object{"count": s.taken}, errors.Join(s.buffer.Flush(), s.file.Close())
	case s.sha256 != nil:
		return object{"count": s.taken, "sha256": hex.EncodeToString(s.sha256.Sum(nil))}, nil
	}
	return object{"records": s.listed}, nil
}

func size(part []byte) int {
	if part == nil {
		return -1
	}
	return len(part)
}
