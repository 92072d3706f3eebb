# SPDX-License-Identifier: Apache-2.0
dist_man_MANS += doc/musterd.8 doc/musterctl.1 doc/muster-cloudinit.8 doc/muster.unit.5
dist_doc_DATA += doc/architecture.md doc/store.md doc/failover.md
