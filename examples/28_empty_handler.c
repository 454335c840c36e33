/* The smallest server: its handler does nothing, so each connection is accepted and closed in good order.
 * Note S4 line 2 (row 28). Python: ThreadingTCPServer(('127.0.0.1', 8000), MyServer), handle: pass.
 * Run: ./28_empty_handler [KIND [ADDRESS]]      default thread tcp:127.0.0.1:8000; then: nc 127.0.0.1 8000 */
#include <cordage.h>

static int handle(cord_request *r)
{
    (void)r;
    return 0;
}

int main(int argc, char **argv)
{
    cord_server_options how = { .kind = CORD_THREAD };
    int rc = argc > 1 ? cord_kind_parse(&how.kind, argv[1]) : 0;
    if (rc == 0)
        rc = cord_serve(argc > 2 ? argv[2] : "tcp:127.0.0.1:8000", handle, &how);
    return cord_report("28_empty_handler", rc);
}
