// What the fault server saw and did: counters per behaviour name and the last requests.
// Times are milliseconds since the server's start, on CLOCK_MONOTONIC.
#ifndef FAULT_LEDGER_H
#define FAULT_LEDGER_H

#include "fault_text.h"

#include <stdint.h>

#define LEDGER_KEPT    100
#define LEDGER_BODY    262144 // bytes of a body that are kept
#define LEDGER_NAME    64
#define LEDGER_NO_TIME (-1.0)

enum outcome { OUTCOME_OPEN, OUTCOME_COMPLETE, OUTCOME_CUT, OUTCOME_ABORTED };

struct record {
    uint64_t id; // from 1; 0: unused
    char name[LEDGER_NAME];
    struct text head;
    struct text body;
    uint64_t body_bytes;
    uint64_t bytes_sent;
    uint64_t connection;
    uint64_t nth_on_connection;
    uint64_t fingerprint; // of X-Request-Id, else of the body
    unsigned times;       // how many of the kept requests had this fingerprint, this one included
    enum outcome outcome;
    double arrived_ms;    // head complete
    double received_ms;   // body complete
    double first_byte_ms; // of the answer
    double ended_ms;      // answer complete or cut, or the peer's close seen
};

struct counter {
    char name[LEDGER_NAME];
    uint64_t requests; // named, whether read in full or not
    uint64_t received; // read in full
    uint64_t complete;
    uint64_t cut;
    uint64_t aborted; // by the peer
    uint64_t fresh;   // first on their connection
    uint64_t reused;
    uint64_t bytes_sent;
    uint64_t open;
    uint64_t max_open;
    double last_arrived_ms;
    double last_aborted_ms;
    struct counter *next;
};

struct ledger {
    uint64_t start_ns;
    uint64_t last_id;
    uint64_t accepted;
    uint64_t open_connections;
    struct record records[LEDGER_KEPT];
    struct counter *counters;
};

uint64_t clock_ns(void);
double ledger_now_ms(const struct ledger *ledger);
struct record *ledger_open(struct ledger *ledger, struct slice head);
// NULL when that record has been overwritten since.
struct record *ledger_record(struct ledger *ledger, uint64_t id);
struct counter *ledger_counter(struct ledger *ledger, struct slice name);
// Sets fingerprint and times of a record whose body is complete.
void ledger_identify(struct ledger *ledger, struct record *record, struct slice request_id);
void ledger_reset(struct ledger *ledger);
void ledger_stats_json(const struct ledger *ledger, struct text *out);
void ledger_requests_json(const struct ledger *ledger, struct text *out);
void ledger_last_json(struct ledger *ledger, struct text *out);

#endif
