# 两条命令完成一切：make demo（环境、实验室、审计、加固、再审计与报告）与 make test（静态检查、单元、Molecule、基线、作业）。
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PATH := $(CURDIR)/$(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
PYTEST ?= pytest

.PHONY: help demo judges test test-packages lint-and-lab setup lint molecule molecule-alternative unit jobs accidents crash vm bench lab-up lab-fresh lab-down lock clean

help: ## 显示这份说明
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

setup: $(STAMP) ## 系统软件包与虚拟环境

$(STAMP): pyproject.toml constraints.txt scripts/system-packages
	scripts/system-packages
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: export ANSIBLE_VAULT_PASSWORD_FILE := $(CURDIR)/inventories/lab/.vault-password
demo: setup ## 起实验室（恢复到安装状态），审计、加固、再审计，建数据库，备份、恢复验证、日志证明，网络设备备份、审计、策略变更，生成中文报告
	[ -e $(ANSIBLE_VAULT_PASSWORD_FILE) ] || (umask 077 && head -c 24 /dev/urandom | base64 >$(ANSIBLE_VAULT_PASSWORD_FILE))
	panshi lab up --fresh
	ansible-playbook -i inventories/lab playbooks/harden.yml
	ansible-playbook -i inventories/lab playbooks/mariadb.yml
	ansible-playbook -i inventories/lab playbooks/backup.yml
	ansible-playbook -i inventories/lab playbooks/backup_vault.yml
	ansible-playbook -i inventories/lab playbooks/backup.yml -e backup_now=true
	ansible-playbook -i inventories/lab playbooks/restore_verify.yml
	ansible-playbook -i inventories/lab playbooks/logs_proof.yml
	scripts/demo-network

judges: setup test-packages ## 外部评测工具（Lynis、OpenSCAP、ssh-audit）在加固前后的结果，写入对照报告（虚拟机很慢，不在内）
	panshi lab up --fresh
	panshi judges -i inventories/lab --limit 'linux:!vm12' --phase before
	ansible-playbook -i inventories/lab playbooks/harden.yml --limit 'linux:!vm12'
	panshi judges -i inventories/lab --limit 'linux:!vm12' --phase after
	panshi report harden --estate lab

test: setup test-packages lint-and-lab jobs ## 全部检验；最后一行是 pytest 的结论

# ansible-lint has one core's work for minutes while the lab's images are downloaded.
lint-and-lab:
	$(MAKE) --no-print-directory --jobs=2 --output-sync=line lint lab-fresh

test-packages:
	scripts/system-packages tests

lint: setup ## ruff、mypy、yamllint、ansible-lint、shellcheck
	ruff check .
	ruff format --check .
	mypy
	yamllint --strict .
	ansible-lint --offline
	find molecule panshi roles tests -name '*.sh' -exec shellcheck scripts/system-packages scripts/demo-network .ci/run {} +
	towncrier build --draft --version next >/dev/null

lab-up: setup ## 起实验室
	panshi lab up

lab-fresh: setup ## 把实验室的主机都恢复到刚装好的状态
	panshi lab up --fresh

lab-down: setup ## 停实验室，只删除它自己建立的东西
	panshi lab down

molecule: lab-up ## 作业与每个角色默认取值的 Molecule 场景（另一组取值见 molecule-alternative）
	$(PYTEST) tests/test_molecule.py -m 'not alternative' -v

molecule-alternative: lab-up ## 每个角色另一组取值的 Molecule 场景（耗时较长，不在 make test 内）
	$(PYTEST) tests/test_molecule.py -m alternative -v

unit: setup ## 不需要实验室的检验
	$(PYTEST) tests/unit tests/scenarios -m 'not lab' -n auto

jobs: lab-up ## 单元、场景、基线、Molecule 与整个作业（真实实验室主机；Molecule 与作业各占一个进程，同时进行）
	$(PYTEST) tests -m 'not vm and not long and not alternative' -n 2

accidents: lab-up ## 整体加固、撤销，以及在受保护的改动、补丁中途杀控制端、断网、断电、弄坏 sshd（一小时左右，不在 make test 内）
	$(PYTEST) tests/jobs -m 'long and not crash'

crash: lab-up ## 轮换口令的每一步杀控制端、断网，逐种账户列表（每行 8 至 50 秒，共约 3 小时，不在 make test 内）
	$(PYTEST) tests/jobs -m crash

vm: lab-up ## 只有自己内核的机器才能证明的加固与内核更新检验（软件仿真，约一小时，不在 make test 内）
	$(PYTEST) tests/jobs -m vm

bench: lab-up ## 速度对比（耗时较长）
	python tests/bench/audit.py

lock: ## 重写 constraints.txt（升级依赖之后）
	python3 -m venv build/lock
	build/lock/bin/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	sed -n '1p' constraints.txt > build/constraints.txt
	build/lock/bin/pip freeze --exclude-editable >> build/constraints.txt
	mv build/constraints.txt constraints.txt

clean: ## 删除虚拟环境与缓存
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
