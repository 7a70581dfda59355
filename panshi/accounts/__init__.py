"""People's and services' accounts on hosts: what an estate declares, what a host has, and what is to be done."""
