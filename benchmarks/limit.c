/* The limit that clients in Python are measured against: the same workloads on rabbitmq-c.

   limit WORKLOAD HOST PORT LOGIN PASSWORD VIRTUALHOST QUEUE COUNT BODY_SIZE

   Prints the figures of `benchmarks.job.Figures`, as JSON; null for a workload that it does not
   have. Memory is as Linux tells it; elsewhere 0. */

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define IN_FLIGHT 256
#define PREFETCH 200
#define CHANNEL 1

static const char *host, *login, *password, *virtualhost;
static int port, count;
static amqp_bytes_t queue, body;
static double user, kernel, wall;
static long idle_memory, memory_growth;

static void check(int good, const char *what) {
  if (!good) {
    fprintf(stderr, "%s failed\n", what);
    exit(1);
  }
}

static double seconds(struct timeval time) { return time.tv_sec + time.tv_usec / 1e6; }

static double clock_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

/* KiB of this process's memory, by the name that Linux gives the figure. */
static long memory(const char *name) {
  char line[256];
  long kibibytes = 0;
  FILE *status = fopen("/proc/self/status", "r");
  if (!status) return 0;
  while (fgets(line, sizeof line, status))
    if (!strncmp(line, name, strlen(name))) kibibytes = atol(line + strlen(name));
  fclose(status);
  return kibibytes;
}

static void start(void) {
  struct rusage usage;
  FILE *peak = fopen("/proc/self/clear_refs", "w");
  if (peak) {
    fputs("5", peak);
    fclose(peak);
  }
  idle_memory = memory("VmRSS:");
  getrusage(RUSAGE_SELF, &usage);
  user = seconds(usage.ru_utime);
  kernel = seconds(usage.ru_stime);
  wall = clock_seconds();
}

static void stop(void) {
  struct rusage usage;
  wall = clock_seconds() - wall;
  getrusage(RUSAGE_SELF, &usage);
  user = seconds(usage.ru_utime) - user;
  kernel = seconds(usage.ru_stime) - kernel;
  memory_growth = memory("VmHWM:") - idle_memory;
  if (memory_growth < 0) memory_growth = 0;
}

static void check_reply(amqp_connection_state_t connection, const char *what) {
  check(amqp_get_rpc_reply(connection).reply_type == AMQP_RESPONSE_NORMAL, what);
}

static amqp_connection_state_t opened(void) {
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = amqp_tcp_socket_new(connection);
  check(socket && amqp_socket_open(socket, host, port) == 0, "connect");
  check(amqp_login(connection, virtualhost, 2047, 131072, 60, AMQP_SASL_METHOD_PLAIN, login,
                   password)
                .reply_type == AMQP_RESPONSE_NORMAL,
        "login");
  amqp_channel_open(connection, CHANNEL);
  check_reply(connection, "channel.open");
  return connection;
}

static void closed(amqp_connection_state_t connection) {
  amqp_channel_close(connection, CHANNEL, AMQP_REPLY_SUCCESS);
  amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
  amqp_destroy_connection(connection);
}

static void publish(amqp_connection_state_t connection, const amqp_basic_properties_t *properties) {
  check(amqp_basic_publish(connection, CHANNEL, amqp_empty_bytes, queue, 0, 0, properties, body) ==
            AMQP_STATUS_OK,
        "basic.publish");
}

static void qos(amqp_connection_state_t connection, uint16_t prefetch) {
  amqp_basic_qos(connection, CHANNEL, 0, prefetch, 0);
  check_reply(connection, "basic.qos");
}

static void consume(amqp_connection_state_t connection, amqp_bytes_t name, int no_ack) {
  amqp_basic_consume(connection, CHANNEL, name, amqp_empty_bytes, 0, no_ack, 0, amqp_empty_table);
  check_reply(connection, "basic.consume");
}

static void publish_fire(void) {
  amqp_connection_state_t connection = opened();
  start();
  for (int number = 0; number < count; number++) publish(connection, NULL);
  qos(connection, 0);
  stop();
  closed(connection);
}

static void wait_for_confirms(amqp_connection_state_t connection, uint64_t *confirmed,
                              uint64_t published) {
  amqp_frame_t frame;
  while (*confirmed < published) {
    amqp_maybe_release_buffers(connection);
    check(amqp_simple_wait_frame(connection, &frame) == AMQP_STATUS_OK, "waiting for a confirm");
    check(frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_ACK_METHOD,
          "expecting basic.ack");
    amqp_basic_ack_t *ack = frame.payload.method.decoded;
    *confirmed = ack->multiple ? ack->delivery_tag : *confirmed + 1;
  }
}

static void publish_confirmed(int in_flight, int has_properties) {
  amqp_connection_state_t connection = opened();
  amqp_basic_properties_t properties;
  char correlation_id[64], message_id[64];
  uint64_t confirmed = 0;
  amqp_confirm_select(connection, CHANNEL);
  check_reply(connection, "confirm.select");
  start();
  for (int number = 0; number < count; number++) {
    if (has_properties) {
      properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                          AMQP_BASIC_APP_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG |
                          AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG;
      snprintf(correlation_id, sizeof correlation_id, "correlation-%d", number);
      snprintf(message_id, sizeof message_id, "message-%d", number);
      properties.content_type = amqp_cstring_bytes("text/plain");
      properties.delivery_mode = 1;
      properties.app_id = amqp_cstring_bytes("benchmark");
      properties.timestamp = 1700000000;
      properties.correlation_id = amqp_cstring_bytes(correlation_id);
      properties.message_id = amqp_cstring_bytes(message_id);
    }
    publish(connection, has_properties ? &properties : NULL);
    if ((number + 1) % in_flight == 0) wait_for_confirms(connection, &confirmed, number + 1);
  }
  wait_for_confirms(connection, &confirmed, count);
  stop();
  closed(connection);
}

static uint64_t read_properties(const amqp_basic_properties_t *properties) {
  uint64_t sum = properties->content_type.len + properties->delivery_mode +
                 properties->correlation_id.len + properties->message_id.len;
  for (int index = 0; index < properties->headers.num_entries; index++)
    sum += properties->headers.entries[index].value.kind;
  return sum;
}

static void consume_all(int no_ack, int reads) {
  amqp_connection_state_t connection = opened();
  volatile uint64_t sum = 0;
  if (!no_ack) qos(connection, PREFETCH);
  start();
  consume(connection, queue, no_ack);
  for (int number = 0; number < count; number++) {
    amqp_envelope_t envelope;
    amqp_maybe_release_buffers(connection);
    check(amqp_consume_message(connection, &envelope, NULL, 0).reply_type == AMQP_RESPONSE_NORMAL,
          "waiting for a message");
    if (reads) sum += read_properties(&envelope.message.properties);
    if (!no_ack)
      check(amqp_basic_ack(connection, CHANNEL, envelope.delivery_tag, 0) == AMQP_STATUS_OK,
            "basic.ack");
    amqp_destroy_envelope(&envelope);
  }
  qos(connection, 0);
  stop();
  closed(connection);
}

static void get_loop(void) {
  amqp_connection_state_t connection = opened();
  start();
  for (int number = 0; number < count; number++) {
    amqp_message_t message;
    amqp_maybe_release_buffers(connection);
    amqp_rpc_reply_t reply = amqp_basic_get(connection, CHANNEL, queue, 1);
    check(reply.reply_type == AMQP_RESPONSE_NORMAL && reply.reply.id == AMQP_BASIC_GET_OK_METHOD,
          "basic.get");
    check(amqp_read_message(connection, CHANNEL, &message, 0).reply_type == AMQP_RESPONSE_NORMAL,
          "reading a message");
    amqp_destroy_message(&message);
  }
  stop();
  closed(connection);
}

static void rpc(void) {
  amqp_connection_state_t connection = opened();
  amqp_bytes_t reply_to = amqp_cstring_bytes("amq.rabbitmq.reply-to");
  amqp_basic_properties_t properties;
  properties._flags = AMQP_BASIC_REPLY_TO_FLAG;
  properties.reply_to = reply_to;
  consume(connection, reply_to, 1);
  start();
  for (int number = 0; number < count; number++) {
    amqp_envelope_t envelope;
    amqp_maybe_release_buffers(connection);
    publish(connection, &properties);
    check(amqp_consume_message(connection, &envelope, NULL, 0).reply_type == AMQP_RESPONSE_NORMAL,
          "waiting for an answer");
    amqp_destroy_envelope(&envelope);
  }
  stop();
  closed(connection);
}

static void connect_all(void) {
  closed(opened());
  start();
  for (int number = 0; number < count; number++) closed(opened());
  stop();
}

int main(int argc, char **argv) {
  check(argc == 10, "taking nine arguments");
  const char *workload = argv[1];
  host = argv[2];
  port = atoi(argv[3]);
  login = argv[4];
  password = argv[5];
  virtualhost = argv[6];
  queue = amqp_cstring_bytes(argv[7]);
  count = atoi(argv[8]);
  body.len = atoi(argv[9]);
  body.bytes = malloc(body.len + 1);
  memset(body.bytes, 'x', body.len);

  if (!strcmp(workload, "publish_fire")) publish_fire();
  else if (!strcmp(workload, "publish_confirm_each")) publish_confirmed(1, 0);
  else if (!strcmp(workload, "publish_large")) publish_confirmed(1, 0);
  else if (!strcmp(workload, "publish_confirm_gathered")) publish_confirmed(IN_FLIGHT, 0);
  else if (!strcmp(workload, "publish_properties_gathered")) publish_confirmed(IN_FLIGHT, 1);
  else if (!strcmp(workload, "consume_ack")) consume_all(0, 0);
  else if (!strcmp(workload, "consume_large")) consume_all(0, 0);
  else if (!strcmp(workload, "consume_ack_properties")) consume_all(0, 1);
  else if (!strcmp(workload, "consume_no_ack")) consume_all(1, 0);
  else if (!strcmp(workload, "get_loop")) get_loop();
  else if (!strcmp(workload, "rpc")) rpc();
  else if (!strcmp(workload, "connect")) connect_all();
  else {
    printf("null\n");
    return 0;
  }
  double each = 1e6 / count;
  printf("[%f, %f, %f, %ld, %ld]\n", (user + kernel) * each, kernel * each, wall * each,
         idle_memory, memory_growth);
  return 0;
}
