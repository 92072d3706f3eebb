/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What musterctl's exit codes mean.
 *
 *   0  done
 *   1  not done: refused, unknown unit, no answer; the line on stderr says which
 *   2  the command line is wrong
 *   3  recorded, and the unit failed where it was started
 *   4  recorded, and no machine may run it, or nobody is there to decide
 *   5  recorded, but a machine that has the unit is absent: its copy may still run
 *
 * Whether a unit was started is for systemd to say: a service is active once its ExecStart has been
 * forked if it is Type=simple, once exec() succeeded if it is Type=exec, and so on. A Type=simple
 * service that dies at once may therefore count as started, and end in 0, even though it is failed
 * a moment later; only what has failed by the time its machine reports is a 3.
 *
 * plan ends as diff does: 0 nothing to do, 1 something, and neither can be a failure: 255 is all
 * that goes wrong.
 *
 * Of several units the highest counts. exec ends with the code of the command that it runs. status
 * has systemctl's codes wherever the unit is: 0 active, 3 not active (or its machine is absent),
 * more where systemctl says more.
 */
#ifndef CLI_EXIT_H
#define CLI_EXIT_H

enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FAILED = 1,
    EXIT_CODE_USAGE = 2,
    EXIT_CODE_UNIT_FAILED = 3,
    EXIT_CODE_NOT_ACTIVE = 3, /* of status */
    EXIT_CODE_UNPLACEABLE = 4,
    EXIT_CODE_ABSENT = 5,
    EXIT_CODE_PLAN_CHANGES = 1, /* of plan */
    EXIT_CODE_PLAN_FAILED = 255,
};

#endif
