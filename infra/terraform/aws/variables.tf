variable "bucket" {
  description = "Name of the bucket. It holds one lake or more, each below a prefix of its own."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens."
  }
}

variable "name" {
  description = "Beginning of the names of roles: NAME-reader, NAME-ingester, NAME-steward."
  type        = string
  default     = "sxeslake"
}

variable "principals" {
  description = "Who may take each role: ARNs of users, roles or accounts. A role without principals can be taken by nobody."
  type = object({
    reader   = optional(list(string), [])
    ingester = optional(list(string), [])
    steward  = optional(list(string), [])
  })
}

variable "steward_needs_mfa" {
  description = "Whether the steward's role is taken by people with a second factor only. False where gc runs unattended."
  type        = bool
  default     = true
}

variable "kms_key_arn" {
  description = "A KMS key for encryption at rest; null takes the bucket's own keys (SSE-S3)."
  type        = string
  default     = null
}

variable "keep_old_versions_days" {
  description = "For how long objects that gc deleted, or that were overwritten, stay as old versions."
  type        = number
  default     = 30

  validation {
    condition     = var.keep_old_versions_days >= 7
    error_message = "Keep old versions for 7 days at least: for so long a mistake goes unnoticed over a holiday."
  }
}

variable "lock_days" {
  description = "Object lock: for how many days no key can delete an object version. 0 makes a bucket without lock; the lock can only be had when the bucket is made."
  type        = number
  default     = 0

  validation {
    condition     = var.lock_days == 0 || var.lock_days >= 14
    error_message = "Lock for 14 days or more, or not (0): the weekly renewal needs room for one that fails."
  }
}

variable "lock_mode" {
  description = "GOVERNANCE: the account's administrators can lift the lock. COMPLIANCE: nobody can, until it ends."
  type        = string
  default     = "GOVERNANCE"

  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.lock_mode)
    error_message = "GOVERNANCE or COMPLIANCE."
  }
}

variable "access_log_bucket" {
  description = "A bucket that receives the access log; null writes none."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
  default     = {}
}
